"""An attached terminal on a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from descartes_core import jsonrpc
from descartes_core.errors import DescartesError, InternalError, InvalidParams, InvalidRequest, ProtocolError, TooLarge
from descartes_core.messages.terminals import Attach
from descartes_daemon.attaching import Attaching
from descartes_daemon.attachment import Attachment
from descartes_daemon.dispatch import checked
from descartes_daemon.safety import refusal
from descartes_daemon.web import STUCK_AFTER
from descartes_local.config import Settings

_log = logging.getLogger(__name__)

PATH = "/agents/{agent_id}/terminal"
#: Close codes: done; nonsense; too big; a fault of ours. All others are 4000 and the HTTP status of an error.
DONE, POLICY, TOO_BIG, FAULT, IDLE, OURS = 1000, 1008, 1009, 1011, 4408, 4000
#: What a close frame has room for (RFC 6455, 5.5).
_LONGEST_REASON = 123
#: One watcher is sent, and heard, at most this much before it is the turn of others: bytes, and frames.
_BURST, _MANY = 1024 * 1024, 64
#: Who is gone is noticed by telling something, where nothing is read because the agent does not read (seconds).
_TELL_EVERY = 20.0

#: What a query may say, and what agent.attach calls it.
_QUERY = {"from": "offset", "mode": "mode", "rows": "rows", "cols": "cols", "client": "client", "took": "took"}

#: The code and the reason to close with; None: the other side is gone, or takes nothing.
Closing = tuple[int, str] | None


class TerminalDoor:
    """The door at PATH."""

    def __init__(
        self,
        attaching: Attaching,
        *,
        ping_every: float = 20.0,
        idle_timeout: float = 0.0,
        stuck_after: float = STUCK_AFTER,
        deepest: int = jsonrpc.DEEPEST,
    ) -> None:
        self._attaching = attaching
        self._ping_every = ping_every
        self.idle_timeout, self.stuck_after, self.deepest = idle_timeout, stuck_after, deepest

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one client until it goes, or the agent has ended."""
        try:
            request, tells_taken = asked(websocket.path_params["agent_id"], websocket.query_params.multi_items())
            connection = "ws {}:{}".format(*websocket.client or ("", 0))
            attachment = await self._attaching.attach(request, connection, tells_taken=tells_taken)
        except DescartesError as error:
            await websocket.send_denial_response(refusal(error))
            return
        with contextlib.closing(attachment):
            await websocket.accept()
            if self._ping_every and (ping := websocket.scope["state"].get("ping")) is not None:
                ping(self._ping_every)
            closing = await TerminalSocket(websocket, attachment, self).run()
        if closing is not None:
            # Who takes nothing does not take this either: the kernel ends it.
            with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                async with asyncio.timeout(self.stuck_after):
                    await websocket.close(*closing)


def terminal_route(attaching: Attaching, settings: Settings) -> WebSocketRoute:
    """Return the route to terminals, as it is configured."""
    door = TerminalDoor(
        attaching,
        ping_every=settings.terminals.ping_every,
        idle_timeout=settings.terminals.idle_timeout,
        deepest=settings.server.max_nesting,
    )
    return WebSocketRoute(PATH, door.serve)


class TerminalSocket:
    """Carries the frames of one attachment."""

    def __init__(self, websocket: WebSocket, attachment: Attachment, door: TerminalDoor) -> None:
        self._websocket, self._attachment, self._door = websocket, attachment, door
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._active_at = self._loop.time()

    async def run(self) -> Closing:
        """Return how to close it, once it is over."""
        self._attachment.begin(self._news.set)
        both = [asyncio.create_task(self._send()), asyncio.create_task(self._hear())]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        except (WebSocketDisconnect, TimeoutError):
            return None
        except Exception:  # the edge: a fault of ours is told in the log, and ends nothing else
            _log.exception("a terminal's WebSocket failed")
            return FAULT, InternalError().message
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _send(self) -> Closing:
        """Send what is next, whenever the other side takes it."""
        sent = 0
        while not self._attachment.is_over:
            self._news.clear()
            while (frame := self._attachment.next()) is not None:
                sent += await self._send_frame(frame)
                if sent >= _BURST:
                    sent = 0
                    await asyncio.sleep(0)
            if not self._attachment.is_over and not await self._wait_for_news():
                return IDLE, f"nothing was typed or shown for {self._door.idle_timeout:g} s"
        return DONE, "the agent has ended"

    async def _send_frame(self, frame: bytes | dict[str, Any]) -> int:
        """Send one frame, and return what it weighs.

        Raises:
            TimeoutError: the other side takes nothing.
            WebSocketDisconnect: it is gone.

        """
        self._active_at = self._loop.time()
        async with asyncio.timeout(self._door.stuck_after):
            if isinstance(frame, bytes):
                await self._websocket.send_bytes(frame)
                return len(frame)
            await self._websocket.send_text(json.dumps(frame))
            return _LONGEST_REASON

    async def _wait_for_news(self) -> bool:
        """Wait for a next frame; say whether there may be one before it has been idle for too long."""
        if not self._door.idle_timeout:
            return await self._news.wait()
        while (left := self._active_at + self._door.idle_timeout - self._loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    return await self._news.wait()
        return False

    async def _hear(self) -> Closing:
        """Do what the client asks for, until it goes or breaks the rules."""
        heard = 0
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            self._active_at = self._loop.time()
            try:
                self._obey(message)
            except DescartesError as error:
                return _closing(error)
            heard += 1
            if heard % _MANY == 0:
                await asyncio.sleep(0)
            await self._wait_for_room()
        return None

    def _obey(self, message: Any) -> None:
        if (data := message.get("bytes")) is not None:
            self._attachment.type(data)
            return
        self._attachment.obey(frame_of(message["text"], self._door.deepest))

    async def _wait_for_room(self) -> None:
        while not self._attachment.room.is_set():
            try:
                async with asyncio.timeout(_TELL_EVERY):
                    await self._attachment.room.wait()
            except TimeoutError:
                await self._send_frame(self._attachment.pen())


def asked(agent: str, query: Sequence[tuple[str, str]]) -> tuple[Attach, bool]:
    """Return what an address asks for, and whether who asks wants to be told what it typed.

    Raises:
        InvalidParams: it makes no sense.

    """
    params: dict[str, Any] = {"agent_id": agent}
    tells_taken = False
    for name, value in query:
        if name not in _QUERY or _QUERY[name] in params or (name == "took" and tells_taken):
            raise InvalidParams("the query may have from, mode, rows, cols, client and took, each of them once")
        if name == "took":
            if value not in ("0", "1"):
                raise InvalidParams("took is 1 or 0")
            tells_taken = value == "1"
        elif name in ("mode", "client"):
            params[name] = value
        elif value.isascii() and value.isdigit() and len(value) < 20:
            params[_QUERY[name]] = int(value)
        else:
            raise InvalidParams(f"{name} is a number, 0 or more")
    request = checked("agent.attach", params)
    assert isinstance(request, Attach)
    return request, tells_taken


def frame_of(text: str, deepest: int) -> dict[str, Any]:
    """Return the JSON frame that a text message is.

    Raises:
        ProtocolError: it is none.

    """
    frame = jsonrpc.parse(text, deepest=deepest)
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise InvalidRequest('a text message holds an object with a "type"')
    return frame


def _closing(error: DescartesError) -> Closing:
    code = OURS + error.status
    if isinstance(error, TooLarge):
        code = TOO_BIG
    elif type(error) is ProtocolError:
        code = POLICY
    return code, error.message.encode()[:_LONGEST_REASON].decode(errors="ignore")
