"""Serve one app on inherited TCP sockets, within our own loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

from descartes_core.messages.common import LARGEST_MESSAGE

#: How long the kernel keeps a connection whose other side takes nothing (seconds).
STUCK_AFTER = 60.0


class _Server(uvicorn.Server):
    """uvicorn without signals, and without a clock: at rest it does nothing at all."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event, ready: asyncio.Event, grace: float) -> None:
        super().__init__(config)
        self._stop, self._ready, self._grace = stop, ready, grace

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

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
    grace: float = 5.0,
    stuck_after: float = STUCK_AFTER,
) -> None:
    """Serve until `stop` is set; `ready` is set once connections are taken. The sockets are closed at the end."""
    for listening in sockets:
        listening.setblocking(False)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted connections inherit it
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(stuck_after * 1000))
    config = uvicorn.Config(
        app,
        loop="none",
        http="h11",
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        ws_max_size=LARGEST_MESSAGE,
        # Listeners are pinged by the stream itself; a timer a connection would be a second one.
        ws_ping_interval=None,
        # Events are small and the way is short: compressing costs memory for each listener.
        ws_per_message_deflate=False,
        limit_concurrency=max_connections,
        backlog=socket.SOMAXCONN,
    )
    await _Server(config, stop, ready or asyncio.Event(), grace).serve(list(sockets))
