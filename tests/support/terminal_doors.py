"""A daemon's inside with a port for terminals on WebSockets, and a client."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import websockets
from starlette.routing import WebSocketRoute

from descartes_daemon.app import build
from descartes_daemon.terminal_socket import PATH, TerminalDoor
from tests.support.inside import PATIENCE, Inside, open_inside
from tests.support.tcp_doors import TOKEN, listening, served


class Watcher:
    """One WebSocket that is an agent's terminal."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self.connection = connection

    async def type(self, data: bytes) -> None:
        """Type bytes."""
        await self.connection.send(data)

    async def tell(self, **value: Any) -> None:
        """Send a JSON frame."""
        await self.connection.send(json.dumps(value))

    async def frame(self, kind: str | None = None) -> Any:
        """Return the next frame; of this kind, if one is named: a JSON type, or `bytes`."""
        while True:
            async with asyncio.timeout(PATIENCE):
                message = await self.connection.recv()
            frame = message if isinstance(message, bytes) else json.loads(message)
            if kind is None or kind == ("bytes" if isinstance(frame, bytes) else frame["type"]):
                return frame

    async def shown(self, wanted: bytes) -> bytes:
        """Return the terminal's bytes up to and with these."""
        seen = b""
        while wanted not in seen:
            seen += await self.frame("bytes")
        return seen

    async def closed(self) -> tuple[int, str]:
        """Read to the end; return the close code and the reason."""
        try:
            while True:
                await self.frame()
        except websockets.ConnectionClosed as end:
            return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (0, "closed without a word")


@dataclass
class TerminalDoors:
    """A daemon, and its port for WebSockets."""

    inside: Inside
    http: int
    ws: int

    def connect(self, agent: str, **query: Any) -> websockets.connect:
        """Open a terminal; `from_` is the query's `from`."""
        asked = urlencode({name.rstrip("_"): value for name, value in query.items()})
        return websockets.connect(
            f"ws://127.0.0.1:{self.ws}/agents/{agent}/terminal?{asked}",
            additional_headers={"Authorization": f"Bearer {TOKEN}"},
            proxy=None,
            max_size=None,
        )

    @contextlib.asynccontextmanager
    async def watch(self, agent: str, **query: Any) -> AsyncIterator[Watcher]:
        """Watch an agent until the end of the block."""
        async with self.connect(agent, **query) as connection:
            yield Watcher(connection)

    async def alone(self, agent: str) -> None:
        """Wait until nobody is attached any more."""
        while self.inside.agent(agent).listeners:
            await self.inside.call("system.health")


@contextlib.asynccontextmanager
async def open_terminals(directory: Path, **options: Any) -> AsyncIterator[TerminalDoors]:
    """Open both TCP doors of a daemon; the options are TerminalDoor's."""
    sockets = [listening(), listening()]
    http, ws = (one.getsockname()[1] for one in sockets)
    async with open_inside(directory) as inside:
        door = TerminalDoor(inside.daemon.attaching, **options)
        app = build(
            inside.daemon.dispatcher,
            inside.daemon.feed,
            http_port=http,
            ws_port=ws,
            token=TOKEN,
            instance_id="an instance",
            sockets=[WebSocketRoute(PATH, door.serve)],
        )
        async with served(app, sockets):
            yield TerminalDoors(inside, http, ws)
