"""Who may come in: Host, Origin, token, content type, size.

A daemon that starts programs is a remote shell to any web page that reaches it. A page's requests carry its Origin, or
a foreign Host (when its name was bound anew to 127.0.0.1), or a form's content type, and never the token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from descartes_core.errors import DescartesError, Forbidden, NotFound, TooLarge, Unauthorized
from descartes_core.jsonrpc import error_object
from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_daemon.admission import FirstMessage, Token, known, naming_protocol, token_offered, without_token

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

#: A body that is refused is taken from the wire up to this size.
_LARGEST_DRAINED = 8 * LARGEST_MESSAGE


def refusal(error: DescartesError, status: int | None = None) -> Response:
    """Return an error as HTTP has it."""
    body = json.dumps({"error": error_object(error)}).encode()
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else None
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
        largest_body: int = LARGEST_MESSAGE,
    ) -> None:
        self._app = app
        self._token = Token(token)
        self._first_message = FirstMessage(app, self._token)
        self._ws_port = ws_port
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
        await self._app(scope, self._counted(receive), send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            has_token = self._check_websocket(scope)
        except DescartesError as error:
            # One status for whoever may not come in (404 stays 404): a client library tells little else anyway.
            status = error.status if isinstance(error, NotFound) else Forbidden.status
            await WebSocket(scope, receive, send).send_denial_response(refusal(error, status))
            return
        app = self._app if has_token else self._first_message
        await app(without_token(scope), receive, naming_protocol(scope, send))

    def _check_http(self, scope: Scope) -> None:
        headers = HTTPConnection(scope).headers
        self._check_page(headers, scope)
        if (scope["method"], scope["path"]) != ("GET", "/health"):
            self._check_token(headers, scope)
        if scope["server"][1] == self._ws_port:
            raise NotFound("this port serves WebSockets only")
        self._check_body(headers)

    def _check_websocket(self, scope: Scope) -> bool:
        """Return whether the token was shown; else it must be the first message, which only a page of ours may send."""
        headers = HTTPConnection(scope).headers
        self._check_page(headers, scope)
        has_header, offered = "authorization" in headers, token_offered(scope)
        if has_header or (offered is None and "origin" not in headers):
            self._check_token(headers, scope)
        elif offered is not None:
            self._check_shown(offered, scope)
        if scope["server"][1] != self._ws_port:
            raise NotFound("this port serves no WebSockets")
        return has_header or offered is not None

    def _check_page(self, headers: Headers, scope: Scope) -> None:
        self._check_host(headers, scope["server"][1])
        self._check_origin(headers)

    def _check_host(self, headers: Headers, port: int) -> None:
        named = headers.getlist("host")
        if len(named) != 1 or named[0].lower() not in {f"{name}:{port}" for name in self._names}:
            raise Forbidden(f"the Host header must be {self._names[0]}:{port} or another name of this machine")

    def _check_origin(self, headers: Headers) -> None:
        for origin in headers.getlist("origin"):
            if origin.lower() not in self._origins:
                raise Forbidden("pages of this Origin are not served")

    def _check_token(self, headers: Headers, scope: Scope) -> None:
        sent = headers.getlist("authorization")
        scheme, _, token = (sent[0] if len(sent) == 1 else "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized
        self._check_shown(token.strip(), scope)

    def _check_shown(self, token: str, scope: Scope) -> None:
        if not self._token.fits(token):
            raise Unauthorized
        known(scope)

    def _check_body(self, headers: Headers) -> None:
        length = headers.get("content-length", "0")
        if length == "0" and "transfer-encoding" not in headers:
            return
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Forbidden("the content type must be application/json")
        # h11 lets only digits through.
        if int(length) > self._largest_body:
            raise _too_large(self._largest_body)

    def _counted(self, receive: Receive) -> Receive:
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self._largest_body:
                    await _drain(receive, message)
                    raise _too_large(self._largest_body)
            return message

        return counted

    async def _refuse(self, error: DescartesError, scope: Scope, receive: Receive, send: Send) -> None:
        answer, headers = refusal(error), HTTPConnection(scope).headers
        # Who waits to be told to go on has sent nothing yet, and who promised far too much is not waited for.
        if "expect" in headers or int(headers.get("content-length", "0")) > _LARGEST_DRAINED:
            answer.headers["Connection"] = "close"
        else:
            await _drain(receive, {"more_body": True})
        await answer(scope, receive, send)


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
