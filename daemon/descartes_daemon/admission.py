"""How a page's WebSocket shows the token, which it cannot send as a header.

Either as a subprotocol, `descartes.token.TOKEN` beside `descartes`, which is then the one selected; or in its first
message, `{"type": "auth", "token": TOKEN}`. Routes behind it need not know: they meet a WebSocket that may come in.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from descartes_core import jsonrpc
from descartes_core.errors import ParseError, Unauthorized

#: What is selected of the subprotocols a page offers; the other one carries the token.
PLAIN, _WITH_TOKEN = "descartes", "descartes.token."
#: How long the first message may take (seconds), and how many may be waited for; the oldest makes room.
PATIENCE, MOST_WAITING = 5.0, 32
#: The largest first message.
LARGEST_FIRST = 4096
#: A WebSocket that is refused after it was accepted is closed with this and the HTTP status.
CLOSED = 4000
#: What a close frame has room for (RFC 6455, 5.5).
_LONGEST_REASON = 123


class Token:
    """The secret that opens both TCP doors."""

    def __init__(self, text: str) -> None:
        self._secret = text.encode()

    def fits(self, shown: str) -> bool:
        """Compare, in a time that tells nothing."""
        return hmac.compare_digest(shown.encode(errors="replace"), self._secret)


def known(scope: Scope) -> None:
    """Tell the connection, where it wants to know, that its client has shown the token."""
    if (visitor := scope.get("state", {}).get("visitor")) is not None:
        visitor.known()


def token_offered(scope: Scope) -> str | None:
    """Return the token among the subprotocols of a WebSocket, None where there is none.

    Raises:
        Unauthorized: several, or one that a page could not be answered to.

    """
    offered = scope["subprotocols"]
    shown = [name.removeprefix(_WITH_TOKEN) for name in offered if name.startswith(_WITH_TOKEN)]
    if not shown:
        return None
    if len(shown) > 1 or PLAIN not in offered:
        raise Unauthorized(f"offer two subprotocols: {PLAIN}, and {_WITH_TOKEN} with the token")
    return str(shown[0])


def without_token(scope: Scope) -> Scope:
    """Return a WebSocket's scope as routes and logs may see it."""
    names = [name for name in scope["subprotocols"] if not name.startswith(_WITH_TOKEN)]
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"sec-websocket-protocol"]
    return {**scope, "subprotocols": names, "headers": headers}


def naming_protocol(scope: Scope, send: Send) -> Send:
    """Select the plain subprotocol where it was offered: a page that offers some insists on one."""
    if PLAIN not in scope["subprotocols"]:
        return send

    async def naming(message: Message) -> None:
        await send({**message, "subprotocol": PLAIN} if message["type"] == "websocket.accept" else message)

    return naming


class FirstMessage:
    """Accepts WebSockets that have yet to show the token, and hands on those that do."""

    def __init__(
        self, app: ASGIApp, token: Token, *, patience: float = PATIENCE, most_waiting: int = MOST_WAITING
    ) -> None:
        self._app, self._token = app, token
        self._patience, self._most = patience, most_waiting
        self._waiting: dict[asyncio.Timeout, None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        await receive()  # its wish to connect
        await send({"type": "websocket.accept", "subprotocol": PLAIN if PLAIN in scope["subprotocols"] else None})
        message = await self._first(receive)
        if message is None:
            await _close(send, Unauthorized(f"no token came within {self._patience:g} s"))
        elif message["type"] == "websocket.receive":
            if self._shows_token(message.get("text")):
                known(scope)
                accepted = _Accepted(receive, send)
                await self._app(scope, accepted.receive, accepted.send)
            else:
                await _close(send, Unauthorized('the first message must be {"type": "auth", "token": …}'))

    async def _first(self, receive: Receive) -> Message | None:
        if len(self._waiting) >= self._most:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.reschedule(0)
        patience = asyncio.timeout(self._patience)
        try:
            async with patience:
                self._waiting[patience] = None
                return await receive()
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(patience, None)

    def _shows_token(self, text: str | None) -> bool:
        if text is None or len(text) > LARGEST_FIRST:
            return False
        try:
            value = jsonrpc.parse(text)
        except ParseError:
            return False
        if not isinstance(value, dict) or value.get("type") != "auth":
            return False
        shown = value.get("token")
        return isinstance(shown, str) and self._token.fits(shown)


class _Accepted:
    """A WebSocket that is accepted already, for a route that has yet to accept it, or to refuse it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._is_connected = False
        self._status, self._refusal = 0, b""

    async def receive(self) -> Message:
        """Tell once that it wishes to connect, then what comes."""
        if self._is_connected:
            return await self._receive()
        self._is_connected = True
        return {"type": "websocket.connect"}

    async def send(self, message: Message) -> None:
        """Leave out the acceptance, and close where an HTTP answer would have refused."""
        match message["type"]:
            case "websocket.accept":
                return
            case "websocket.http.response.start":
                self._status = message["status"]
            case "websocket.http.response.body":
                self._refusal += message.get("body", b"")
                if not message.get("more_body"):
                    await self._send(_closing(self._status, _sentence(self._refusal)))
            case _:
                await self._send(message)


def _sentence(refusal: bytes) -> str:
    return str(json.loads(refusal)["error"]["message"])


def _closing(status: int, reason: str) -> dict[str, Any]:
    short = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
    return {"type": "websocket.close", "code": CLOSED + status, "reason": short}


async def _close(send: Send, error: Unauthorized) -> None:
    await send(_closing(error.status, error.message))
