"""Serve one app on inherited TCP sockets, within our own loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from descartes_core.errors import InvalidRequest, LimitReached
from descartes_core.messages.common import LARGEST_MESSAGE
from descartes_daemon.counts import OpenNow
from descartes_daemon.safety import LARGEST_HEAD, refusal
from descartes_daemon.visitors import HELD_BODIES, LET_IN_AT_ONCE, Visitors

#: How long the kernel keeps a connection whose other side takes nothing (seconds).
STUCK_AFTER = 60.0
#: The largest WebSocket message of a client that has yet to show the token.
_STRANGERS_MESSAGE = 65_536
#: Who pings and leaves so much lying of what it is answered is let go.
_MOST_UNTAKEN = 1024 * 1024


class _Http(H11Protocol):
    """One connection that speaks HTTP, until it becomes a WebSocket; it has to send what it begins in time."""

    def __init__(self, visitors: Visitors, **inherited: Any) -> None:
        super().__init__(**inherited)
        self._visitors = visitors

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self.visitor = self._visitors.come(self.transport.abort)
        # Every scope has it: what checks the token tells it.
        self.app_state = {**self.app_state, "visitor": self.visitor}

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.visitor.is_websocket:
            self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def _look(self) -> None:
        """See what is waited for: a head (one deadline for all of it), more of a body, or nothing."""
        is_answered = self.cycle is None or self.cycle.response_complete
        if is_answered:
            self.visitor.rests()
        else:
            self.visitor.works()
        if self.conn.their_state is h11.SEND_BODY:
            self.visitor.reads(anew=True)
        elif is_answered and self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self.visitor.reads(anew=False)
        else:
            self.visitor.has_it_all()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self.visitor.is_websocket = True
        self.visitor.has_it_all()
        self.visitor.works()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Refuse in our own words what is no HTTP."""
        answer = refusal(InvalidRequest(msg.removesuffix(".").lower()))
        headers = [*answer.raw_headers, (b"connection", b"close")]
        with contextlib.suppress(h11.LocalProtocolError):  # an answer was under way already
            response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            for part in (response, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.visitor.gone()


class _WebSocket(WebSocketsSansIOProtocol):
    """One WebSocket; small messages only, until its client has shown the token."""

    def __init__(self, max_message: int, **inherited: Any) -> None:
        super().__init__(**inherited)
        self._visitor = self.app_state["visitor"]
        self.conn.max_message_size = _STRANGERS_MESSAGE
        self._visitor.on_known = partial(setattr, self.conn, "max_message_size", max_message)
        self.app_state = {**self.app_state, "ping": self._begin_pings}

    def _begin_pings(self, every: float) -> None:
        """Ping so often; no answer is waited for: a slow reader's comes late, and the kernel finds who is gone."""
        self.ping_interval, self.ping_timeout = every, None
        self.start_keepalive()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated:  # what HTTP let through was no handshake: nobody else would tell
            self.transport.close()

    def handle_ping(self) -> None:
        """Answer who takes answers; for who does not they would pile up."""
        if self.transport.get_write_buffer_size() > _MOST_UNTAKEN:
            self.transport.abort()
        else:
            super().handle_ping()

    def send_receive_event_to_app(self) -> None:
        """Hand on a message; text that is none ends the connection without a word in the log."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._visitor.gone()


class _Server(uvicorn.Server):
    """uvicorn without signals, and without a clock: at rest it does nothing at all."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event, ready: asyncio.Event, grace: float) -> None:
        super().__init__(config)
        self._stop, self._ready, self._grace = stop, ready, grace

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; asyncio takes one number for who waits and for who is let in at once."""
        await super().startup(sockets=sockets)
        for listening in sockets or ():
            listening.listen(socket.SOMAXCONN)

    async def main_loop(self) -> None:
        self._ready.set()
        await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more, end what is asked within the grace, cut the rest off."""
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        tasks = set(self.server_state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=self._grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await asyncio.sleep(0)  # what is closed and sent leaves in the loop's next turn
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)


async def serve(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    stop: asyncio.Event,
    *,
    ready: asyncio.Event | None = None,
    max_connections: int = 1000,
    max_message: int = LARGEST_MESSAGE,
    read_timeout: float = 15.0,
    idle_timeout: float = 75.0,
    grace: float = 5.0,
    stuck_after: float = STUCK_AFTER,
    now: OpenNow | None = None,
) -> None:
    """Serve until `stop` is set; `ready` is set once connections are taken. The sockets are closed at the end."""
    for listening in sockets:
        listening.setblocking(False)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(stuck_after * 1000))
    visitors = Visitors(max_connections, read_timeout, HELD_BODIES * max_message)
    if now is not None:
        now.http, now.websocket = partial(visitors.count, websockets=False), partial(visitors.count, websockets=True)
        now.tcp_total = lambda: visitors.total
    config = uvicorn.Config(
        _bounded(app),
        loop="none",
        http=cast("type[asyncio.Protocol]", partial(_Http, visitors)),
        ws=cast("type[asyncio.Protocol]", partial(_WebSocket, max_message)),
        lifespan="off",
        log_config=None,
        # Its loggers have their levels by `daemon_log`.
        log_level=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        ws_max_size=max_message,
        # Listeners are pinged by the stream itself; a timer a connection would be a second one.
        ws_ping_interval=None,
        # Events are small and the way is short: compressing costs memory for each listener.
        ws_per_message_deflate=False,
        timeout_keep_alive=cast("int", idle_timeout),
        h11_max_incomplete_event_size=LARGEST_HEAD,
        backlog=LET_IN_AT_ONCE,
    )
    await _Server(config, stop, ready or asyncio.Event(), grace).serve(list(sockets))


def _bounded(app: ASGIApp) -> ASGIApp:
    """Tell those beyond the limit, and let nobody else notice them."""

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        # That we are healthy is told at once, and all the more where there is a crowd.
        if not scope["state"]["visitor"].is_too_many or scope["path"] == "/health":
            await app(scope, receive, send)
            return
        answer = refusal(LimitReached("too many connections are busy already (server.max_connections)"), 503)
        answer.headers["Connection"] = "close"
        if scope["type"] == "http":
            await answer(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).send_denial_response(answer)

    return bounded
