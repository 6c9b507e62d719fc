"""Everything that works, put together."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import Any

from descartes_core import VERSION, agent_life
from descartes_core.messages.agents import Spawn
from descartes_daemon.adopt import Adoption
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents, Place
from descartes_daemon.ahead import Ahead
from descartes_daemon.attaching import Attaching
from descartes_daemon.background import Background
from descartes_daemon.bus_door import BusDoor
from descartes_daemon.cgroups import Cgroups
from descartes_daemon.collecting import Collecting
from descartes_daemon.cooling import Cooling
from descartes_daemon.counting import Counting
from descartes_daemon.counts import Counts, OpenNow
from descartes_daemon.disk_news import DiskNews
from descartes_daemon.dispatch import Dispatcher
from descartes_daemon.dropping import Caps
from descartes_daemon.effects import Effects
from descartes_daemon.event_bound import EventBound
from descartes_daemon.faults import Faults
from descartes_daemon.feed import Feed
from descartes_daemon.ground import Ground
from descartes_daemon.keeping import Keeping
from descartes_daemon.leaving import Leaving
from descartes_daemon.limiting import Limiting
from descartes_daemon.once import Once
from descartes_daemon.orphans import Orphans
from descartes_daemon.output_log import OutputLog
from descartes_daemon.room import Rooms
from descartes_daemon.screens import Screens
from descartes_daemon.scud_watch import ScudWatch
from descartes_daemon.session_upkeep import Endpoints, Upkeep
from descartes_daemon.setup import Setup
from descartes_daemon.start import Machines, Starter
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from descartes_daemon.unix_rpc import Limits, UnixDoor
from descartes_daemon.watching import Watch
from descartes_local.probe import reached

#: So many lost agents are named in a sentence; the event names all.
_NAMED = 5


class Daemon:
    """Everything that works, put together."""

    def __init__(self, setup: Setup, store: Store, keeping: Keeping, upkeep: Upkeep, endpoints: Endpoints) -> None:
        self.setup = setup
        self.store = store
        self.keeping = keeping
        self.upkeep = upkeep
        self.endpoints = endpoints
        self.stop = asyncio.Event()
        self.background = Background()
        place = Place(setup.record.id, str(setup.workspace), setup.home.session(setup.record.id), endpoints.socket)
        self.agents = Agents(place, store, keeping, self.background)
        self.agents.cgroups = Cgroups(
            setup.record.id,
            is_wanted=setup.settings.agents.cgroups == "auto",
            has_supervisor=setup.supervisor is not None,
            is_unit=setup.supervisor is None and setup.notify_socket is not None,
        )
        self.agents.keeps_input = setup.settings.terminals.keep_input
        output = setup.settings.output
        self.agents.outputs.drops_when_full = output.on_full_disk == "drop"
        self.disk_news = DiskNews(self.agents)
        self.caps = Caps(self.agents, output.agent_cap, output.session_cap, upkeep.notices)
        self.effects = Effects(self.agents)
        self.watch = Watch(self.agents)
        self.limiting = Limiting(self.agents, self.effects)
        self.orphans = Orphans(self.agents)
        self.leaving = Leaving(self.agents, self.effects, self.orphans)
        self.feed = Feed(store)
        self.once = Once(store)
        self._keep_within_bounds()
        self.screens = Screens(setup.settings.output.checkpoint_every)
        self.dispatcher = Dispatcher(self.once)
        self.scud_watch = ScudWatch(upkeep, keep=self._keep_lock, tell=self.tell)
        server = setup.settings.server
        limits = Limits(server.max_connections, server.max_message, server.max_nesting)
        self.attaching = Attaching(self.agents, self.screens, most=setup.settings.terminals.max_watchers)
        self.door = UnixDoor(self.dispatcher, self.attaching, self.background, limits)
        faults = Faults(store)
        self.dispatcher.on_fault = faults.note
        self.background.on_fault = lambda fault: faults.note("background", fault)
        self.counts, self.now = Counts(), OpenNow()
        self.counting = Counting(self.agents, self.feed, self.dispatcher, self.counts, self.now)
        #: What has to do with agents on other machines: nothing, while there never was one.
        self.machines: Machines | None = None
        #: What was taken over, for those who are told that we serve.
        self._adopted: dict[str, object] = {}
        self.bus = BusDoor(setup.home, self.agents, self.effects, self.dispatcher, setup.settings.agents.max_agents)
        self._belong()
        self._count()

    def _keep_within_bounds(self) -> None:
        kept = self.setup.settings.retention
        bound = EventBound(self.store, self.background, kept.event_count)
        self.feed.on_growth = bound.grew
        self.cooling = Cooling(self.agents, self.caps, self.setup.settings.output.compress_after_days)
        self.collecting = Collecting(self.agents, self.caps, self.once, bound, kept, cooling=self.cooling)

    def _ground(self) -> Ground:
        return Ground(
            setup=self.setup,
            store=self.store,
            agents=self.agents,
            feed=self.feed,
            background=self.background,
            tell_people=self.upkeep.tell,
            tell=self.tell,
        )

    def _belong(self) -> None:
        self.rooms = Rooms(self._ground())
        search = self.setup.settings.search
        self.ahead = Ahead(self.rooms.search, search.every, is_enabled=search.enabled)
        self.bus.title, self.bus.forget = lambda: self.upkeep.record.name, self.collecting.forget
        self.agents.on_news = self._changed
        self.bus.on_member.append(self._joined)

    def _count(self) -> None:
        self.dispatcher.on_done = self.counts.called
        self.feed.on_lag, self.feed.on_gap = self.counts.lag.add, self.counts.missed
        self.agents.outputs.on_growth = self._grew
        self.counting.bus = self.bus.counted
        self.now.unix, self.now.unix_total = lambda: len(self.door.connections), lambda: self.door.connected

    def _grew(self, log: OutputLog, count: int) -> None:
        self.counts.output_bytes += count
        self.ahead.grew(count)
        self.caps.grew(log, count)

    def reach_others(self) -> Machines:
        """Return what reaches other machines; it is loaded when it is needed."""
        if self.machines is None:
            from descartes_daemon.remote.elsewhere import Elsewhere  # only who has a hub pays for it

            self.machines = Elsewhere(self.agents, self.effects, self.setup.settings.agents.command)
        return self.machines

    def _changed(self, agent: Agent) -> None:
        self.bus.changed(agent)
        if not agent.is_alive:
            self.cooling.wake()

    def _joined(self, member: Any) -> None:
        if member.told.role == "daemon":
            self.reach_others().connect(member.bus)

    async def place(self, request: Spawn) -> Starter:
        """Return where an agent is to be started that is to run elsewhere."""
        await self.bus.tried()
        return await self.reach_others().place(request)

    async def ask_others(self, agents: list[Agent]) -> None:
        """Ask the machines that these run on how they are, and what they take."""
        if self.machines is not None:
            await self.machines.ask(agents)

    async def _keep_lock(self, locks: Mapping[str, int]) -> None:
        if self.keeping.has_keeper:
            await self.keeping.forget(*locks)
            await self.keeping.try_keep(locks)

    async def adopt(self) -> None:
        """Take over what an earlier daemon left."""
        adoption = Adoption(self.agents, self.watch, self.effects, self.limiting)
        adopted = await adoption.run()
        if adoption.elsewhere:
            self.reach_others().adopt(adoption.elsewhere)
            adopted += [row.id for row in adoption.elsewhere if row.state in agent_life.ALIVE]
        if adoption.lost:
            names = ", ".join(one["name"] for one in adoption.lost[:_NAMED])
            names += f" and {len(adoption.lost) - _NAMED} more" if len(adoption.lost) > _NAMED else ""
            self.upkeep.tell(f"lost with the daemon before and whoever kept for it: terminals or inputs of {names}")
        await self.orphans.begin()
        self.counting.starts = 1 + int(await self.store.noted("starts") or 0)
        self.store.enqueue(Unit().note("starts", str(self.counting.starts)))
        self._adopted = {"adopted": adopted, "lost": adoption.lost}
        reached("daemon.adopted")

    def tidy_up(self) -> None:
        """Begin what nobody waits for; it is put off until others need not wait for it."""
        self.background.start(self.once.prune(), "forget old requests")
        self.background.start(self.caps.begin(), "count what is kept")
        self.background.start(self.collecting.begin(), "finish what gc began")
        self.cooling.wake()

    async def tell_started(self) -> None:
        """Tell that this daemon serves from now on."""
        if self.setup.hung is not None:
            pid, waited = self.setup.hung
            await self.tell("daemon_hung", hung_pid=pid, waited=waited)
        await self.tell("daemon_started", **self._adopted, notices=self.upkeep.notices)

    async def tell(self, event_type: str, **data: object) -> None:
        """Store and tell an event about the daemon itself."""
        about = {"instance_id": self.upkeep.instance_id, "pid": os.getpid(), "version": VERSION, **data}
        await self.store.commit(Unit().event("SystemEvent", event_type, None, about, time.time()))
