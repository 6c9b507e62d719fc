"""Belong to a bus where `bus.json` says so; who does not pays nothing for it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from descartes_core.errors import Refused, Unavailable
from descartes_core.messages.bus import ConnectBus, DrainBus
from descartes_core.messages.common import Nothing
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.asking import Asking
from descartes_daemon.dispatch import Dispatcher
from descartes_daemon.effects import Effects
from descartes_daemon.unit import Unit
from descartes_local.bus_file import BusFile, find_bus_file, keys_in, read_keys
from descartes_local.home import Home

_log = logging.getLogger(__name__)

#: Everything of zmq's, and of the bus's own messages; imported only where there is a bus, and never before a fork.
_MEMBERSHIP = "descartes_daemon.bus.membership"
#: Who wants to know how a first try goes waits so long at most (seconds).
_PATIENCE = 3.0
_GENERATION, _DRAINING = "bus generation", "bus draining"

Reply = dict[str, Any]


class BusDoor:
    """The bus, where there is one: `membership` is what belongs to it, else None."""

    def __init__(self, home: Home, agents: Agents, effects: Effects, dispatcher: Dispatcher, most_agents: int) -> None:
        self._home, self._agents, self._effects, self._dispatcher = home, agents, effects, dispatcher
        self._most_agents = most_agents
        #: As the session is called, looked up when it is told.
        self.title: Callable[[], str] = str
        #: Removes what an ended agent said.
        self.forget: Callable[[str], Awaitable[None]]
        #: Told of each new membership, before it connects: here others of this daemon subscribe to its bus.
        self.on_member: list[Callable[[Any], None]] = []
        self.membership: Any = None
        self._running: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        #: Whether it was looked for a bus.
        self._begun = asyncio.Event()
        self._was_connected = False

    async def begin(self) -> None:
        """Join where the session belongs to a bus; what hinders that keeps no daemon from serving."""
        try:
            await self._look()
        except Unavailable as error:
            _log.error("the bus: %s", error)
        finally:
            self._begun.set()

    async def connect(self, _request: ConnectBus, asking: Asking) -> Reply:
        """bus.connect: look again, and connect now."""
        del asking
        await self._look()
        if self.membership is not None:
            self.membership.bus.look_again()
        await self.tried()
        return self.status(Nothing())

    async def tried(self) -> None:
        """Wait until it is known whether there is a hub and whether it can be reached, if that does not take long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._begun.wait()
                if self.membership is not None:
                    await self.membership.bus.tried()

    async def drain(self, request: DrainBus, asking: Asking) -> Reply:
        """bus.drain: start nothing more for others, or again; the next daemon does likewise."""
        if self.membership is None or self.membership.told.role != "runner":
            raise Refused("this session is no runner")
        await self._agents.store.commit(asking.accepted(Unit()).note(_DRAINING, str(int(request.is_draining))))
        self.membership.drain(is_draining=request.is_draining)
        return self.status(Nothing())

    def status(self, _request: Nothing) -> Reply:
        """bus.status: how this daemon stands to its hub."""
        return _NO_BUS if self.membership is None else dict(self.membership.status())

    def changed(self, agent: Agent) -> None:
        """Take note that an agent is not as it was."""
        if self.membership is not None:
            self.membership.changed(agent)

    def counted(self) -> Reply | None:
        """Return what is counted of it (messages.system.BusCounts)."""
        if self.membership is None:
            return None
        state, role = self.membership.bus.state.value, self.membership.told.role
        peers, streams = len(self.membership.bus.peers), len(self.membership.streams)
        return {"state": state, "role": role, "peers": peers, "streams": streams, **self.membership.statistics()}

    def renamed(self) -> None:
        """Tell the hub the session's name, where that is another one by now."""
        member, title = self.membership, self.title()
        if member is not None and member.told.role == "daemon" and title != member.bus.link.me.title:
            member.bus.rename(title)

    def settle(self) -> None:
        """Let the next daemon go on, without a goodbye."""
        if self.membership is not None:
            self.membership.settle()

    async def leave(self) -> None:
        """Belong to it no more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
            self.membership.close()
            self._running = self.membership = None

    async def _look(self) -> None:
        async with self._turn:
            told = await asyncio.to_thread(find_bus_file, self._home, self._agents.place.session_id)
            if self.membership is not None and told == self.membership.told and not self._has_failed():
                return
            await self.leave()
            if told is not None:
                await self._join(told)

    def _has_failed(self) -> bool:
        return bool(self.membership.bus.state == "Failed")

    async def _join(self, told: BusFile) -> None:
        path = keys_in(self._home, told.keys)
        keys = read_keys(path)
        if keys is None:
            raise Unavailable(f"{path} is not there: enroll anew")
        is_draining = await self._agents.store.noted(_DRAINING) == "1"
        generation = await self._generation()
        kind = (await asyncio.to_thread(importlib.import_module, _MEMBERSHIP)).Membership
        try:
            self.membership = kind(
                told,
                keys,
                title=self.title(),
                generation=generation,
                capacity=min(told.capacity or self._most_agents, self._most_agents),
                agents=self._agents,
                dispatcher=self._dispatcher,
                effects=self._effects,
                forget=self.forget,
            )
        except ValueError as error:  # a name, label or capacity that no message holds
            raise Unavailable(f"bus.json tells what no hub would hear: {error}") from error
        self.membership.serving.spawns.is_draining = is_draining
        self._was_connected = False
        self.membership.bus.subscribe(on_state=self._state_changed)
        for on_member in self.on_member:
            on_member(self.membership)
        self._running = self._agents.background.start(self.membership.bus.run(), "bus")

    async def _generation(self) -> int:
        """Return a larger number than any daemon of this session had, whatever the clock says."""
        before = int(await self._agents.store.noted(_GENERATION) or 0)
        generation = max(time.time_ns() // 1_000_000, before + 1)
        await self._agents.store.commit(Unit().note(_GENERATION, str(generation)))
        return generation

    def _state_changed(self, state: str) -> None:
        """Tell of what is lasting: each try of many is only in `bus.status`."""
        is_connected = state == "Connected"
        why = self.membership.bus.link.failure
        if is_connected and not self._was_connected:
            self._event("bus_connected", server_id=self.membership.bus.welcome.server_id)
        elif self._was_connected and not is_connected:
            self._event("bus_lost", reason=why)
        if state == "Failed":
            self._event("bus_refused", reason=why)
        self._was_connected = is_connected

    def _event(self, event_type: str, **data: object) -> None:
        told = {"hub": self.membership.told.hub, "name": self.membership.bus.link.me.name, **data}
        _log.info("%s: %s", event_type, told)
        self._agents.background.start(self._store(event_type, told), event_type)

    async def _store(self, event_type: str, data: dict[str, object]) -> None:
        with contextlib.suppress(Unavailable):
            await self._agents.store.commit(Unit().event("SystemEvent", event_type, None, data, time.time()))


_NO_BUS: Reply = {
    "state": "None",
    "since": None,
    "failure": None,
    "role": None,
    "name": None,
    "hub": None,
    "server_id": None,
    "labels": [],
    "capacity": 0,
    "is_draining": False,
    "peers": [],
    "statistics": None,
}
