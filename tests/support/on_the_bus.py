"""Peers of a bare hub, and a daemon of this process that belongs to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descartes_core.bus import messages as m
from descartes_core.bus.link import LinkState
from descartes_core.ids import new_id
from descartes_daemon.bus.dealer import Bus
from descartes_local.bus_file import bus_file_of, keys_in, write_bus_file, write_keys
from tests.support.bare_hub import BareHub, new_keys, peer_of
from tests.support.inside import PATIENCE, Inside, open_inside


@contextlib.asynccontextmanager
async def running(*buses: Bus) -> AsyncIterator[None]:
    """Let peers belong to the bus within the block, connected from its beginning on."""
    tasks = [asyncio.create_task(bus.run()) for bus in buses]
    try:
        for bus in buses:
            await until(bus, lambda bus=bus: bus.state is LinkState.CONNECTED)  # type: ignore[misc]
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(bus: Bus, is_so: Callable[[], bool]) -> None:
    """Wait for something that comes with a message, a peer or a state."""
    news = asyncio.Event()
    bus.subscribe(
        on_message=lambda _sender, _message: news.set(),
        on_peer=lambda _peer: news.set(),
        on_state=lambda _state: news.set(),
    )
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await news.wait()
            news.clear()


@dataclass
class Caller:
    """A peer that asks, follows output under credit, and hears reports."""

    bus: Bus
    #: Whom it asks.
    host: str
    updates: list[m.StatusUpdate] = field(default_factory=list)
    pieces: list[m.Output] = field(default_factory=list)
    problems: list[m.Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bus.subscribe(on_message=self._hear)

    def _hear(self, _sender: str, message: m.Message) -> None:
        for kind, heard in ((m.StatusUpdate, self.updates), (m.Output, self.pieces), (m.Problem, self.problems)):
            if isinstance(message, kind):
                heard.append(message)  # type: ignore[attr-defined]

    async def ask(self, request: m.Request, timeout: float = PATIENCE) -> Any:
        """Ask, and return the answer."""
        return await self.bus.ask(request, self.host, timeout=timeout)

    async def spawn(self, command: list[str], *, request_id: str = "", **config: Any) -> m.AgentInfo:
        """Start a program and return its agent."""
        asked = m.SpawnRequest(
            request_id=request_id or new_id(), config=m.AgentConfig(command=tuple(command), **config)
        )
        info = (await self.ask(asked)).agent_info
        assert info is not None
        return info

    async def command(self, agent_id: str, word: str, request_id: str = "", **payload: Any) -> Any:
        """Do something to an agent, and return the answer."""
        return await self.ask(
            m.ControlCommand(
                request_id=request_id or new_id(),
                agent_id=agent_id,
                command_type=word,
                payload=payload or None,  # type: ignore[arg-type]
            )
        )

    async def act(self, agent_id: str, action: str, **params: Any) -> Any:
        """Do a custom action, and return its data."""
        request = m.CustomActionRequest(request_id=new_id(), agent_id=agent_id, action=action, params=params or None)
        return (await self.ask(request)).data

    def credit(self, agent_id: str, offset: int, until: int, stream: m.StreamName = "stdout") -> None:
        """Give credit."""
        assert self.bus.tell(m.Credit(agent_id=agent_id, stream=stream, offset=offset, until=until), self.host)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that comes with a message."""
        await until(self.bus, is_so)

    async def until_gone(self, agent_id: str) -> m.AgentInfo:
        """Wait for the report of an agent's end, and return it."""

        def last() -> list[m.AgentInfo]:
            told = [update.agent_info for update in self.updates if update.agent_id == agent_id]
            return [info for info in told if info is not None and info.is_gone]

        await self.until(lambda: bool(last()))
        return last()[-1]

    async def all_of(self, agent_id: str, stream: m.StreamName = "stdout", window: int = 1 << 20) -> bytes:
        """Follow an output to its last byte."""
        said, used = bytearray(), 0
        self.credit(agent_id, 0, window, stream)

        def take() -> bool:
            nonlocal used
            while self.pieces:
                piece = self.pieces.pop(0)
                if piece.agent_id != agent_id or piece.stream != stream:
                    continue
                assert piece.gap is None, piece.gap
                assert piece.offset == len(said), (piece.offset, len(said))
                said.extend(piece.data)
                if piece.is_last:
                    return True
            if len(said) >= used + window // 2:
                used = len(said)
                self.credit(agent_id, len(said), len(said) + window, stream)
            return False

        await self.until(take)
        return bytes(said)


@dataclass
class Joined:
    """A daemon of this process at a hub, and those who ask it."""

    hub: BareHub
    inside: Inside
    name: str
    callers: list[Caller]


@contextlib.asynccontextmanager
async def joined(directory: Path, role: str, *callers: str, capacity: int = 0, **more: Any) -> AsyncIterator[Joined]:
    """Let a daemon join a hub in this role, with these callers: daemons of a runner, or clients of a daemon."""
    async with open_inside(directory, **more) as inside:
        with BareHub() as hub:
            home, session_id = inside.daemon.setup.home, inside.daemon.setup.record.id
            told = hub.file("big" if role == "runner" else "laptop", role)
            if capacity:
                told = type(told)(told.role, told.hub, told.hub_key, told.name, told.keys, ("gpu",), capacity)
            write_keys(keys_in(home, told.keys), new_keys())
            write_bus_file(bus_file_of(home, session_id), told)
            kind: m.Role = "daemon" if role == "runner" else "client"
            buses = [peer_of(hub, name, kind, updates=kind == "client") for name in callers]
            await inside.daemon.bus.begin()
            bus = inside.daemon.bus.membership.bus
            try:
                await until(bus, lambda: bus.state is LinkState.CONNECTED)
                async with running(*buses):
                    name = bus.link.me.name
                    for one in buses:
                        await until(one, lambda one=one: name in one.peers)  # type: ignore[misc]
                        await until(bus, lambda one=one: one.link.me.name in bus.peers)  # type: ignore[misc]
                    yield Joined(hub, inside, name, [Caller(one, name) for one in buses])
                await inside.daemon.leaving.end_all(0.0)
            finally:
                await inside.daemon.bus.leave()
