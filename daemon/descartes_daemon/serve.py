"""Build the daemon, run it, take it down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable
from functools import partial

from descartes_core import kept
from descartes_core.errors import Unavailable
from descartes_core.session_life import State
from descartes_daemon import knowing, title
from descartes_daemon.answering import register
from descartes_daemon.assembly import Daemon
from descartes_daemon.doors import TcpDoors
from descartes_daemon.giving_way import give_way, hindrance
from descartes_daemon.keeper_watch import KeeperWatch
from descartes_daemon.keeping import Keeping
from descartes_daemon.notify import Notifier
from descartes_daemon.session_upkeep import Upkeep
from descartes_daemon.setup import Setup
from descartes_daemon.sockets import Listening
from descartes_daemon.store import Store
from descartes_daemon.terminal_socket import terminal_route
from descartes_local.probe import reached
from descartes_local.token import read_or_make

_log = logging.getLogger(__name__)


async def serve(setup: Setup) -> bool:
    """Serve one session until it is asked to end; say whether the next daemon is to go on with its agents.

    Raises:
        DescartesError: it could not begin; nothing is left behind.

    """
    async with contextlib.AsyncExitStack() as stack:
        notifier = Notifier(setup.notify_socket)
        stack.callback(notifier.close)
        keeping = Keeping(notifier, setup.supervisor, setup.inherited, room=setup.fd_store)
        upkeep = Upkeep(setup.home, setup.workspace, setup.record)
        upkeep.keeper = keeping.keeper
        await _lock(upkeep, keeping)
        path = setup.home.daemon_socket(setup.record.id)
        listening = Listening.take(keeping, setup.http_port, setup.ws_port, path)
        stack.callback(listening.close)
        stack.callback(upkeep.withdraw)
        async with _meanwhile(partial(_write_down, setup, upkeep)):
            store = await stack.enter_async_context(Store.open(setup.home.session(setup.record.id) / "state.db"))
        daemon = Daemon(setup, store, keeping, upkeep, listening.endpoints)
        register(daemon)
        knowing.register(daemon)
        stack.callback(daemon.agents.outputs.growth.close)
        stack.callback(daemon.screens.close)
        stack.callback(daemon.orphans.close)
        stack.callback(daemon.agents.cgroups.close)
        stack.push_async_callback(daemon.background.close)
        stack.push_async_callback(daemon.bus.leave)
        stack.push_async_callback(daemon.rooms.close)
        stack.callback(daemon.ahead.close)
        _listen_to_signals(daemon.stop)
        await daemon.adopt()
        keeping.close_rest()
        await _run(daemon, notifier, listening)
    return upkeep.is_handed_on


def _write_down(setup: Setup, upkeep: Upkeep) -> None:
    setup.note_start()
    upkeep.write(State.STARTING)


@contextlib.asynccontextmanager
async def _meanwhile(write: Callable[[], None]) -> AsyncIterator[None]:
    """Write to a disk, which is slow, while the block does the same elsewhere; both are done when it is left."""
    # Not by `to_thread`: it would begin at the loop's next turn only.
    under_way = asyncio.get_running_loop().run_in_executor(None, write)
    try:
        yield
    finally:
        await under_way


async def _lock(upkeep: Upkeep, keeping: Keeping) -> None:
    inherited = {name: keeping.take(name) for name in (kept.LOCK_WORKSPACE, kept.LOCK_DATA)}
    reached("daemon.locking")
    upkeep.lock(inherited)
    if inherited[kept.LOCK_DATA] is None:
        upkeep.read_again()
    fresh = {name: held for name, held in upkeep.locks.items() if held != inherited[name]}
    if fresh and keeping.has_keeper:
        await keeping.try_keep(fresh)


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
    # Told before the first answer, also to who waits in the backlog: who was answered finds who answered.
    daemon.upkeep.announce(daemon.endpoints)
    title.show(daemon.upkeep.record.name)
    async with asyncio.TaskGroup() as group:
        group.create_task(doors.serve(listening, stop_web, ready=ready, notices=daemon.upkeep.notices), name="web")
        async with _meanwhile(partial(daemon.upkeep.write, State.ACTIVE, daemon.endpoints)):
            await daemon.tell_started()
            await ready.wait()
        unix = await daemon.door.serve(listening.unix)
        gives_way = _listen_to_successor(daemon, notifier)
        daemon.background.start(daemon.scud_watch.run(), "scud watch")
        daemon.tidy_up()
        knowing.begin(daemon)
        await notifier.tell("READY=1", f"STATUS=serving {setup.workspace}")
        keeper_watch = KeeperWatch(daemon, listening)
        if setup.supervisor is not None:
            daemon.background.start(keeper_watch.run(), "keeper watch")
        daemon.background.start(daemon.bus.begin(), "join the bus")
        reached("daemon.ready")
        await daemon.stop.wait()
        if not gives_way.is_set():
            # At once: who keeps us stays until we have ended, also where everybody is asked to.
            await notifier.tell("STOPPING=1", "STATUS=ending")
        await keeper_watch.settle()
        if gives_way.is_set():
            await give_way(daemon, unix, stop_web)
        else:
            await _take_down(daemon, notifier, unix, stop_web)


async def _take_down(daemon: Daemon, notifier: Notifier, unix: asyncio.Server, stop_web: asyncio.Event) -> None:
    """End in order: tell, start nothing more, end what would die with us, close the doors."""
    daemon.upkeep.write(State.STOPPING, daemon.endpoints)
    daemon.agents.is_closing = True
    if await daemon.keeping.ends():
        await daemon.leaving.see_off()
    await daemon.leaving.end([agent for agent in daemon.agents if not agent.is_kept])
    staying = [agent.id for agent in daemon.agents.living]
    with contextlib.suppress(Unavailable):  # a full disk does not keep a daemon from ending
        await daemon.tell("daemon_stopping", staying=staying, reason="stop")
    await notifier.tell("STOPPING=1", "STATUS=agents kept" if staying else "STATUS=ended in order")
    unix.close()
    daemon.door.close()
    stop_web.set()


def _listen_to_successor(daemon: Daemon, notifier: Notifier) -> asyncio.Event:
    """Let USR1 ask us to give way to the next daemon; who may not says why, and stays."""
    asked = asyncio.Event()

    def ask() -> None:
        why = hindrance(daemon)
        if why is not None:
            _log.warning("asked to give way, and stays: %s", why)
            daemon.background.start(_tell(notifier, f"{kept.STAYS}={why}"), "stay")
        elif not daemon.stop.is_set():
            _log.info("gives way to the next daemon")
            asked.set()
            daemon.stop.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, ask)
    return asked


async def _tell(notifier: Notifier, line: str) -> None:
    await notifier.tell(line)


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
