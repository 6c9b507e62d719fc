"""A daemon's inside in this very process, and a client at its Unix door."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import itertools
import json
import os
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_core.errors import from_wire
from descartes_core.frames import FrameReader, bytes_frame, json_frame
from descartes_core.ids import new_id
from descartes_core.methods import METHODS
from descartes_core.session_record import SessionRecord
from descartes_daemon import knowing
from descartes_daemon.agent import Agent
from descartes_daemon.answering import register
from descartes_daemon.assembly import Daemon
from descartes_daemon.keeping import Keeping
from descartes_daemon.notify import Notifier
from descartes_daemon.session_upkeep import Endpoints, Upkeep
from descartes_daemon.setup import Setup
from descartes_daemon.sockets import bind_unix
from descartes_daemon.store import Store
from descartes_local.config import load
from descartes_local.home import Home
from tests.support.leftovers import left_open, open_now

#: Nothing that is waited for takes so long.
PATIENCE = 15.0


class Line:
    """One connection to the Unix door: lines, and frames once it is attached."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._numbers = itertools.count(1)
        self._frames = FrameReader()
        self._waiting: list[bytes | dict[str, Any]] = []

    async def say(self, line: bytes) -> Any:
        """Send a line as it is, and return the next answer."""
        self.writer.write(line + b"\n")
        return await self.heard()

    async def heard(self) -> Any:
        """Return the next answer, None when the connection has ended."""
        async with asyncio.timeout(PATIENCE):
            line = await self.reader.readline()
        return json.loads(line) if line else None

    async def call(self, method: str, **params: Any) -> Any:
        """Call a method; its reply must be what the table of methods promises."""
        asked = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": params}
        answer = await self.say(json.dumps(asked).encode())
        assert answer is not None, f"{method} was not answered"
        assert answer["id"] == asked["id"]
        if "error" in answer:
            raise from_wire(answer["error"]["data"]["code"], answer["error"]["message"])
        METHODS[method].reply.model_validate(answer["result"])
        return answer["result"]

    def type(self, data: bytes) -> None:
        """Send keys as a frame."""
        self.writer.write(bytes_frame(data))

    def tell(self, **value: Any) -> None:
        """Send a JSON frame."""
        self.writer.write(json_frame(value))

    async def frame(self, kind: str | None = None) -> Any:
        """Return the next frame; of this kind, if one is named: a JSON type, or `bytes`."""
        while True:
            while not self._waiting:
                async with asyncio.timeout(PATIENCE):
                    data = await self.reader.read(65_536)
                if not data:
                    return None
                self._waiting += self._frames.feed(data)
            frame = self._waiting.pop(0)
            if kind is None or kind == ("bytes" if isinstance(frame, bytes) else frame["type"]):
                return frame

    async def shown(self, wanted: bytes) -> bytes:
        """Return the terminal's bytes up to and with these."""
        seen = b""
        while wanted not in seen:
            frame = await self.frame("bytes")
            assert frame is not None, f"ended without {wanted!r}: {seen[-1000:]!r}"
            seen += frame
        return seen

    async def close(self) -> None:
        """Close it."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@dataclass
class Inside:
    """One daemon without TCP doors."""

    daemon: Daemon
    directory: Path
    lines: list[Line]

    async def line(self) -> Line:
        """Open a connection."""
        streams = await asyncio.open_unix_connection(self.daemon.endpoints.socket, limit=32 * 1024 * 1024)
        self.lines.append(Line(*streams))
        return self.lines[-1]

    async def call(self, method: str, **params: Any) -> Any:
        """Call once, over a connection of its own."""
        line = await self.line()
        try:
            return await line.call(method, **params)
        finally:
            await line.close()

    async def spawn(self, command: list[str], **more: Any) -> dict[str, Any]:
        """Start a program and return its agent."""
        agent: dict[str, Any] = (await self.call("agent.spawn", command=command, **more))["agent"]
        return agent

    def agent(self, identity: str) -> Agent:
        """Return what the daemon holds of an agent."""
        return self.daemon.agents.present[identity]

    async def until(self, identity: str, wanted: bytes) -> bytes:
        """Return all that an agent has said, once this is among it."""
        said = await self.output(identity)
        while wanted not in said:
            reply = await self.call("agent.output", agent_id=identity, offset=len(said), wait=PATIENCE)
            said += base64.b64decode(reply["data"])
            assert reply["data"], f"no {wanted!r} in {said[-1000:]!r}"
        return said

    async def output(self, identity: str, offset: int = 0, *, follow: bool = False) -> bytes:
        """Return all that an agent has said; when following, to the last byte it ever will."""
        pieces = []
        while True:
            wait = PATIENCE if follow else 0.0
            reply = await self.call("agent.output", agent_id=identity, offset=offset, limit=1 << 20, wait=wait)
            pieces.append(base64.b64decode(reply["data"]))
            offset = reply["next_offset"]
            if offset == reply["size"] and (reply["ended"] or not follow):
                return b"".join(pieces)

    async def ended(self, identity: str) -> dict[str, Any]:
        """Wait for an agent's end and return it."""
        waited = await self.call("agent.wait", agent_id=identity, timeout=PATIENCE)
        assert waited["ended"], waited
        agent: dict[str, Any] = waited["agent"]
        return agent

    async def gone(self, identity: str) -> None:
        """Wait until nothing of an agent is held in memory any more."""
        if (agent := self.daemon.agents.present.get(identity)) is not None:
            async with asyncio.timeout(PATIENCE):
                await agent.gone.wait()
                await agent.ended.wait()


@contextlib.asynccontextmanager
async def open_inside(
    directory: Path, *, identity: str = "", notify: str | None = None, supervisor: str | None = None
) -> AsyncIterator[Inside]:
    """Make a daemon in a short directory; at the end it leaves neither process nor descriptor behind."""
    descriptors = open_now()
    home, workspace = Home(directory / "home"), directory / "shop"
    home.make()
    (workspace / ".scud").mkdir(parents=True, exist_ok=True)
    record = SessionRecord(identity or new_id(), "shop", str(workspace), "2026-01-01T00:00:00Z")
    home.session(record.id).mkdir(parents=True, exist_ok=True)
    setup = Setup(
        home=home,
        workspace=workspace,
        record=record,
        settings=load(home),
        http_port=1,
        ws_port=2,
        inherited={},
        notify_socket=notify,
        supervisor=supervisor,
        fd_store=0,
        soft_nofile=None,
    )
    door = bind_unix(home.daemon_socket(record.id))
    async with _served(setup, door) as inside:
        yield inside
    database = sqlite3.connect(home.session(record.id) / "state.db")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    left = await _still_open(descriptors)
    assert not left, f"left open: {left}"


async def _still_open(before: dict[int, str]) -> set[tuple[int, str]]:
    """Return what was opened meanwhile and stays open; what was closed goes in one of the loop's next turns."""
    loop, turns = asyncio.get_running_loop(), 100
    while (left := left_open(before)) and turns:
        turned = loop.create_future()
        loop.call_later(0.01, turned.set_result, None)
        await turned
        turns -= 1
    return left


@contextlib.asynccontextmanager
async def _served(setup: Setup, door: socket.socket) -> AsyncIterator[Inside]:
    upkeep = Upkeep(setup.home, setup.workspace, setup.record)
    endpoints = Endpoints("127.0.0.1", 1, 2, str(door.getsockname()))
    notifier = Notifier(setup.notify_socket)
    async with Store.open(setup.home.session(setup.record.id) / "state.db") as store:
        keeping = Keeping(notifier, setup.supervisor, setup.inherited)
        daemon = Daemon(setup, store, keeping, upkeep, endpoints)
        register(daemon)
        knowing.register(daemon)
        inside = Inside(daemon, setup.home.path.parent, [])
        await inside.daemon.adopt()
        await inside.daemon.tell_started()
        knowing.begin(daemon)
        server = await inside.daemon.door.serve(door)
        try:
            yield inside
        finally:
            await inside.daemon.leaving.end_all(0.0)
            for line in inside.lines:
                await line.close()
            server.close()
            inside.daemon.door.close()
            await server.wait_closed()
            await inside.daemon.rooms.close()
            await inside.daemon.background.close()
            for agent in list(inside.daemon.agents):
                await inside.daemon.agents.let_go(agent)
            inside.daemon.agents.outputs.growth.close()
            inside.daemon.screens.close()
            asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)
            inside.daemon.orphans.close()
            notifier.close()
            _reap()
            gc.collect()


def _reap() -> None:
    """Reap what the end of the loop kept the daemon from reaping."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
