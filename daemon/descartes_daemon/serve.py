"""Build the daemon, run it, take it down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from descartes_core import VERSION, kept
from descartes_core.errors import Unavailable
from descartes_core.messages.common import Nothing
from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord
from descartes_daemon.adopt import Adoption
from descartes_daemon.agents import Agents, Place
from descartes_daemon.answers import Answers, Ending
from descartes_daemon.attaching import Attaching
from descartes_daemon.audit import Audits
from descartes_daemon.background import Background
from descartes_daemon.batch import Batches
from descartes_daemon.collecting import Collecting
from descartes_daemon.counting import Counting
from descartes_daemon.counts import Counts, OpenNow
from descartes_daemon.disk_news import DiskNews
from descartes_daemon.dispatch import Dispatcher
from descartes_daemon.doors import TcpDoors
from descartes_daemon.dropping import Caps
from descartes_daemon.effects import Effects
from descartes_daemon.event_list import EventList
from descartes_daemon.faults import Faults
from descartes_daemon.feed import Feed
from descartes_daemon.keeping import Keeping
from descartes_daemon.keyboard import Keyboard
from descartes_daemon.leaving import Leaving
from descartes_daemon.notify import Notifier
from descartes_daemon.once import Once
from descartes_daemon.orphans import Orphans
from descartes_daemon.output_log import OutputLog
from descartes_daemon.reading import Reading
from descartes_daemon.renaming import Renaming
from descartes_daemon.screens import Screens
from descartes_daemon.scud_watch import ScudWatch
from descartes_daemon.session_upkeep import Endpoints, Upkeep
from descartes_daemon.shortage import Spare
from descartes_daemon.showing import Showing
from descartes_daemon.sockets import Listening
from descartes_daemon.spawning import Habits, Spawner
from descartes_daemon.store import Store
from descartes_daemon.terminal_socket import terminal_route
from descartes_daemon.unit import Unit
from descartes_daemon.unix_rpc import Limits, UnixDoor
from descartes_daemon.verbs import Verbs
from descartes_daemon.watching import Watch
from descartes_local.config import Settings
from descartes_local.home import Home
from descartes_local.probe import reached
from descartes_local.token import read_or_make

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Setup:
    """All that is decided before anything runs."""

    home: Home
    workspace: Path
    record: SessionRecord
    settings: Settings
    http_port: int
    ws_port: int
    #: Descriptors handed over, by name.
    inherited: Mapping[str, int]
    #: Who started us, and who keeps.
    notify_socket: str | None
    supervisor: str | None
    #: The soft descriptor limit that agents are given back.
    soft_nofile: int | None
    #: Writes down with what configuration we began, once the session is ours.
    note_start: Callable[[], None] = lambda: None


async def serve(setup: Setup) -> None:
    """Serve one session until it is asked to end.

    Raises:
        DescartesError: it could not begin; nothing is left behind.

    """
    async with contextlib.AsyncExitStack() as stack:
        notifier = Notifier(setup.notify_socket)
        stack.callback(notifier.close)
        keeping = Keeping(notifier, setup.supervisor, setup.inherited)
        upkeep = Upkeep(setup.home, setup.workspace, setup.record)
        await _lock(upkeep, keeping)
        setup.note_start()
        path = setup.home.daemon_socket(setup.record.id)
        listening = Listening.take(keeping, setup.http_port, setup.ws_port, path)
        stack.callback(listening.close)
        upkeep.write(State.STARTING)
        stack.callback(upkeep.withdraw)
        store = await stack.enter_async_context(Store.open(setup.home.session(setup.record.id) / "state.db"))
        daemon = Daemon(setup, store, keeping, upkeep, listening.endpoints)
        stack.callback(daemon.agents.outputs.growth.close)
        stack.callback(daemon.screens.close)
        stack.callback(daemon.orphans.close)
        stack.push_async_callback(daemon.background.close)
        _listen_to_signals(daemon.stop)
        await daemon.adopt()
        await _run(daemon, notifier, listening)


async def _lock(upkeep: Upkeep, keeping: Keeping) -> None:
    inherited = {name: keeping.take(name) for name in (kept.LOCK_WORKSPACE, kept.LOCK_DATA)}
    reached("daemon.locking")
    upkeep.lock(inherited)
    if inherited[kept.LOCK_DATA] is None:
        upkeep.read_again()
    fresh = {name: held for name, held in upkeep.locks.items() if held != inherited[name]}
    if fresh and keeping.has_keeper:
        await keeping.keep(fresh)


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
        output = setup.settings.output
        self.agents.outputs.drops_when_full = output.on_full_disk == "drop"
        self.disk_news = DiskNews(self.agents)
        self.caps = Caps(self.agents, output.agent_cap, output.session_cap, upkeep.notices)
        self.effects = Effects(self.agents)
        self.watch = Watch(self.agents)
        self.orphans = Orphans(self.agents)
        self.leaving = Leaving(self.agents, self.effects, self.orphans)
        self.feed = Feed(store)
        self.once = Once(store)
        days = setup.settings.retention
        self.collecting = Collecting(
            self.agents, self.caps, self.once, output_days=days.output_days, event_days=days.event_days
        )
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
        self._count()
        self._register()

    def _count(self) -> None:
        self.dispatcher.on_done = self.counts.called
        self.feed.on_lag, self.feed.on_gap = self.counts.lag.add, self.counts.missed
        self.agents.outputs.on_growth = self._grew
        self.now.unix, self.now.unix_total = lambda: len(self.door.connections), lambda: self.door.connected

    def _grew(self, log: OutputLog, count: int) -> None:
        self.counts.output_bytes += count
        self.caps.grew(log, count)

    def _register(self) -> None:
        settings = self.setup.settings.agents
        habits = Habits(
            command=settings.command,
            grace=settings.grace,
            rows=settings.rows,
            cols=settings.cols,
            most_agents=settings.max_agents,
            max_arguments=settings.max_arguments,
            max_name=settings.max_name,
            max_environment=settings.max_environment,
            soft_nofile=self.setup.soft_nofile,
        )
        spare = Spare(self.agents, settings.spare_descriptors, self.upkeep.notices)
        verbs = Verbs(self.agents, Spawner(self.agents, self.watch, habits, spare), self.effects)
        answers = Answers(self.agents, self.orphans, self.upkeep, self.endpoints)
        ending = Ending(self.agents, self.leaving, self.stop)
        each = {"pause": verbs.pause, "resume": verbs.resume, "stop": verbs.stop, "kill": verbs.kill}
        batches = Batches(self.agents, {**each, "signal": verbs.signal})
        keyboard = Keyboard(self.agents, self.screens)
        reads, acts = self.dispatcher.reads, self.dispatcher.acts
        reads("agent.list", answers.list_agents)
        reads("agent.get", answers.get_agent)
        reads("agent.output", Reading(self.agents).output)
        reads("agent.screen", Showing(self.agents, self.screens).screen)
        reads("agent.wait", verbs.wait)
        reads("agent.audit", Audits(self.agents).audit)
        reads("session.info", answers.session)
        reads("event.list", EventList(self.feed).list)
        reads("system.health", answers.health)
        reads("system.stats", self.counting.stats)
        reads("system.metrics", self.counting.metrics)
        acts("agent.spawn", verbs.spawn, verbs.spawned_before)
        acts("agent.write", keyboard.write, verbs.unknown_before)
        acts("agent.signal", verbs.signal, verbs.unknown_before)
        acts("agent.resize", keyboard.resize)
        acts("agent.pause", verbs.pause, verbs.show)
        acts("agent.resume", verbs.resume, verbs.show)
        acts("agent.stop", verbs.stop, verbs.gone_before)
        acts("agent.kill", verbs.kill, verbs.gone_before)
        acts("agent.batch", batches.batch, batches.batch_before)
        acts("session.collect", self.collecting.collect)
        acts("system.shutdown", ending.shutdown)
        acts("session.rename", self._renaming(answers).rename)
        self.dispatcher.on_call = self.scud_watch.look_soon

    def _renaming(self, answers: Answers) -> Renaming:
        return Renaming(
            self.upkeep,
            self.store,
            self.background,
            info=lambda: answers.session(Nothing()),
            tell_keeper=lambda name: self.keeping.tell_name(self.upkeep.record.id, name),
        )

    async def _keep_lock(self, locks: Mapping[str, int]) -> None:
        if self.keeping.has_keeper:
            await self.keeping.forget(*locks)
            await self.keeping.keep(locks)

    async def adopt(self) -> None:
        """Take over what an earlier daemon left."""
        await self.once.prune()
        adopted = await Adoption(self.agents, self.watch, self.effects).run()
        await self.orphans.begin()
        self.background.start(self.caps.begin(), "count what is kept")
        self.background.start(self.collecting.begin(), "finish what gc began")
        self.counting.starts = 1 + int(await self.store.noted("starts") or 0)
        self.store.enqueue(Unit().note("starts", str(self.counting.starts)))
        await self.tell("daemon_started", adopted=adopted, notices=self.upkeep.notices)
        reached("daemon.adopted")

    async def tell(self, event_type: str, **data: object) -> None:
        """Store and tell an event about the daemon itself."""
        about = {"instance_id": self.upkeep.instance_id, "pid": os.getpid(), "version": VERSION, **data}
        await self.store.commit(Unit().event("SystemEvent", event_type, None, about, time.time()))


async def _run(daemon: Daemon, notifier: Notifier, listening: Listening) -> None:
    setup, ready, stop_web = daemon.setup, asyncio.Event(), asyncio.Event()
    doors = TcpDoors(
        settings=setup.settings.server,
        dispatcher=daemon.dispatcher,
        feed=daemon.feed,
        token=read_or_make(setup.home),
        instance_id=daemon.upkeep.instance_id,
        now=daemon.now,
        sockets=[terminal_route(daemon.attaching, setup.settings)],
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(doors.serve(listening, stop_web, ready=ready, notices=daemon.upkeep.notices), name="web")
        await ready.wait()
        # Told before the first answer: who was answered finds who answered.
        daemon.upkeep.announce(daemon.endpoints)
        daemon.upkeep.write(State.ACTIVE, daemon.endpoints)
        unix = await daemon.door.serve(listening.unix)
        _listen_to_signals(daemon.stop)
        daemon.background.start(daemon.scud_watch.run(), "scud watch")
        await notifier.tell("READY=1", f"STATUS=serving {setup.workspace}")
        reached("daemon.ready")
        await daemon.stop.wait()
        await _take_down(daemon, notifier, unix, stop_web)


async def _take_down(daemon: Daemon, notifier: Notifier, unix: asyncio.Server, stop_web: asyncio.Event) -> None:
    """End in order: tell, start nothing more, end what would die with us, close the doors."""
    daemon.upkeep.write(State.STOPPING, daemon.endpoints)
    daemon.agents.is_closing = True
    await daemon.leaving.end([agent for agent in daemon.agents if not agent.is_kept])
    staying = [agent.id for agent in daemon.agents.living]
    with contextlib.suppress(Unavailable):  # a full disk does not keep a daemon from ending
        await daemon.tell("daemon_stopping", staying=staying)
    await notifier.tell("STOPPING=1", "STATUS=agents kept" if staying else "STATUS=ended in order")
    unix.close()
    daemon.door.close()
    stop_web.set()


def _listen_to_signals(stop: asyncio.Event) -> None:
    """Let the first TERM or INT ask, and the second kill."""
    loop = asyncio.get_running_loop()

    def ask(number: int) -> None:
        _log.info("%s: ending", signal.Signals(number).name)
        for asked in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(asked)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask, number)
