"""Who may come in: Host, Origin, token, content type, size.

A daemon that starts programs is a remote shell to any web page that reaches it. A page's requests carry its Origin, or
a foreign Host (when its name was bound anew to 127.0.0.1), or a form's content type, and never the token.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from descartes_core.errors import (
    DescartesError,
    Forbidden,
    InvalidRequest,
    LimitReached,
    NotFound,
    TooLarge,
    Unauthorized,
)
from descartes_core.jsonrpc import error_object
from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_daemon.admission import FirstMessage, Token, known, naming_protocol, token_offered, without_token
from descartes_daemon.strangers import Strangers
from descartes_daemon.visitors import Visitor

#: What Sec-Fetch-Site says of our own pages, and of what a person typed.
_OF_NO_OTHER_PAGE = frozenset({"same-origin", "none"})

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

#: What stands before a request's body: bytes of address and headers, and how many headers.
LARGEST_HEAD, MOST_HEADERS = 16_384, 100

#: A body that is refused is taken from the wire up to this size.
_LARGEST_DRAINED = 8 * LARGEST_MESSAGE
#: … and for so long (seconds).
_DRAIN_PATIENCE = 2.0


def refusal(error: DescartesError, status: int | None = None) -> Response:
    """Return an error as HTTP has it."""
    body = json.dumps({"error": error_object(error)}).encode()
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else {}
    if isinstance(error, TooLarge):
        headers["Connection"] = "close"  # the rest of it may never end
    return Response(body, status or error.status, headers, media_type="application/json")


class Safety:
    """Let through what may come in, answer all else.

    WebSockets are refused before they are accepted, but for pages of ours that have yet to show the token.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        http_port: int,
        ws_port: int,
        hosts: Sequence[str] = (),
        metrics_port: int | None = None,
        largest_body: int = LARGEST_MESSAGE,
        max_strangers: int = 0,
    ) -> None:
        self._app = app
        self._token = Token(token)
        self._first_message = FirstMessage(app, self._token)
        self._strangers = Strangers(max_strangers)
        self._ws_port, self._metrics_port = ws_port, metrics_port
        self._names = tuple(dict.fromkeys((*LOOPBACK, *(_in_url(host) for host in hosts))))
        self._origins = {f"http://{name}:{port}" for name in self._names for port in (http_port, ws_port)}
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request or WebSocket, and hand it on or refuse it."""
        await (self._http if scope["type"] == "http" else self._websocket)(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check_http(scope)
        except DescartesError as error:
            await self._refuse(error, scope, receive, send)
            return
        await self._app(scope, self._counted(receive, scope.get("state", {}).get("visitor")), send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            has_token = self._check_websocket(scope)
        except DescartesError as error:
            # One status for whoever may not come in (404 and 429 stay): a client library tells little else anyway.
            status = error.status if isinstance(error, NotFound | LimitReached) else Forbidden.status
            await WebSocket(scope, receive, send).send_denial_response(refusal(error, status))
            return
        app = self._app if has_token else self._first_message
        await app(without_token(scope), receive, naming_protocol(scope, send))

    def _check_http(self, scope: Scope) -> None:
        headers, port = HTTPConnection(scope).headers, scope["server"][1]
        has_token = self._shows_token(headers)
        self._welcome(scope, is_known=has_token)
        self._check_page(scope, headers)
        if port == self._metrics_port:
            if (scope["method"], scope["path"]) not in (("GET", "/metrics"), ("HEAD", "/metrics")):
                raise NotFound("this port serves GET /metrics only")
            return
        if not has_token and (scope["method"], scope["path"]) != ("GET", "/health"):
            raise _no_token(scope)
        if port == self._ws_port:
            raise NotFound("this port serves WebSockets only")
        self._check_body(headers)

    def _check_websocket(self, scope: Scope) -> bool:
        """Return whether the token was shown; else it must be the first message, which only a page of ours may send."""
        headers = HTTPConnection(scope).headers
        has_header, offered = "authorization" in headers, token_offered(scope)
        shown = self._shows_token(headers) if has_header else offered is not None and self._token.fits(offered)
        self._welcome(scope, is_known=shown)
        self._check_page(scope, headers)
        if not shown and (has_header or offered is not None or "origin" not in headers):
            raise _no_token(scope)
        if scope["server"][1] != self._ws_port:
            raise NotFound("this port serves no WebSockets")
        return shown

    def _welcome(self, scope: Scope, *, is_known: bool) -> None:
        if is_known:
            known(scope)
        elif not self._strangers.take():
            raise LimitReached(f"more than {self._strangers.most} requests a second without the token: come back later")

    def _check_page(self, scope: Scope, headers: Headers) -> None:
        size = len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(a) + len(b) for a, b in headers.raw)
        if size > LARGEST_HEAD or len(headers.raw) > MOST_HEADERS:
            raise TooLarge(f"a request's head may have {LARGEST_HEAD} bytes and {MOST_HEADERS} lines")
        if "transfer-encoding" in headers and "content-length" in headers:
            raise InvalidRequest("a body has one length: content-length or transfer-encoding")
        self._check_host(headers, scope["server"][1])
        self._check_origin(headers)

    def _check_host(self, headers: Headers, port: int) -> None:
        named = headers.getlist("host")
        if len(named) != 1 or named[0].lower() not in {f"{name}:{port}" for name in self._names}:
            raise Forbidden(f"the Host header must be {self._names[0]}:{port} or another name of this machine")

    def _check_origin(self, headers: Headers) -> None:
        origins = headers.getlist("origin")
        for origin in origins:
            if origin.lower() not in self._origins:
                raise Forbidden("pages of this Origin are not served")
        # An image, a script or a form of a page asks without an Origin; browsers tell all the same where it stands.
        if not origins and not _OF_NO_OTHER_PAGE.issuperset(headers.getlist("sec-fetch-site")):
            raise Forbidden("pages of elsewhere are not served")

    def _shows_token(self, headers: Headers) -> bool:
        sent = headers.getlist("authorization")
        scheme, _, token = (sent[0] if len(sent) == 1 else "").partition(" ")
        return scheme.lower() == "bearer" and self._token.fits(token.strip())

    def _check_body(self, headers: Headers) -> None:
        length = headers.get("content-length", "0")
        if length == "0" and "transfer-encoding" not in headers:
            return
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Forbidden("the content type must be application/json")
        # h11 lets only digits through.
        if int(length) > self._largest_body:
            raise _too_large(self._largest_body)

    def _counted(self, receive: Receive, visitor: Visitor | None) -> Receive:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self._largest_body:
                    await _drain(receive, message)
                    raise _too_large(self._largest_body)
                if visitor is not None:
                    visitor.holds(size)
            return message

        return counted

    async def _refuse(self, error: DescartesError, scope: Scope, receive: Receive, send: Send) -> None:
        answer, headers = refusal(error), HTTPConnection(scope).headers
        # Who waits to be told to go on has sent nothing yet; who promised far too much, or comes too often, or takes
        # its time, is not waited for.
        is_over = isinstance(error, LimitReached | InvalidRequest) or "expect" in headers
        if is_over or int(headers.get("content-length", "0")) > _LARGEST_DRAINED or not await _drained_soon(receive):
            answer.headers["Connection"] = "close"
        await answer(scope, receive, send)


def _no_token(scope: Scope) -> Unauthorized:
    if b"token" in scope["query_string"].lower():
        return Unauthorized("the token never goes into an address, which is logged and remembered: send it as a header")
    return Unauthorized()


async def _drained_soon(receive: Receive) -> bool:
    try:
        async with asyncio.timeout(_DRAIN_PATIENCE):
            await _drain(receive, {"more_body": True})
    except TimeoutError:
        return False
    return True


async def _drain(receive: Receive, message: Message) -> None:
    """Take what is still sent and throw it away: closing on it would reset the connection before the answer is read."""
    size = 0
    while message.get("more_body") and size < _LARGEST_DRAINED:
        message = await receive()
        size += len(message.get("body", b""))


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"a message may have {most} bytes")


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host.lower()
