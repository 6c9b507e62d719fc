"""Say which room answers what is asked of tasks, state, history and search."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

from descartes_daemon.assembly import Daemon
from descartes_daemon.store import Store
from descartes_daemon.tree_watch import may_have_tasks
from descartes_daemon.unit import Unit


def register(daemon: Daemon) -> None:
    """Give every method to its room, which is loaded with the first call."""
    _register_state(daemon)
    _register_hooks(daemon)
    daemon.dispatcher.acts("session.export", daemon.rooms.transfer.method("export"))
    daemon.dispatcher.acts("state.import", daemon.rooms.transfer.method("import_original"))
    _register_tasks(daemon)
    _register_search(daemon)
    _register_recordings(daemon)


def begin(daemon: Daemon) -> None:
    """Open, once the daemon serves, what has work that nobody asks for."""
    _remove_leftovers(daemon)
    daemon.background.start(_begin_hooks(daemon), "begin with hooks")
    _follow_tasks(daemon)
    daemon.background.start(_expire_snapshots(daemon.store), "forget snapshots whose time is over")
    if (daemon.agents.place.data / "importing").exists():
        daemon.background.start(daemon.rooms.recordings.open().begin(), "finish imports")


def _remove_leftovers(daemon: Daemon) -> None:
    """Remove what kills left of the session's import, which is over once it is served, and of exports."""
    data = daemon.agents.place.data
    (data / "import.json").unlink(missing_ok=True)
    left = [data / name for name in os.listdir(data) if name.startswith(".export-")]
    if left and not daemon.rooms.transfer.is_open:
        daemon.background.start(asyncio.to_thread(_remove_all, left), "remove what killed exports left")


def _remove_all(directories: list[Path]) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def _register_state(daemon: Daemon) -> None:
    state, reads, acts = daemon.rooms.state, daemon.dispatcher.reads, daemon.dispatcher.acts
    for name in ("get", "query", "transitions", "snapshots"):
        reads(f"state.{name}", state.method(name))
    for name in ("set", "delete", "forget"):
        acts(f"state.{name}", state.method(name))
    acts("state.snapshot", state.method("snapshot"), state.method("taken_before"))
    acts("state.restore", state.method("restore"), state.method("restored_before"))


def _register_hooks(daemon: Daemon) -> None:
    hooks, reads, acts = daemon.rooms.hooks, daemon.dispatcher.reads, daemon.dispatcher.acts
    for name in ("list", "deliveries"):
        reads(f"hook.{name}", hooks.method(name))
    for name in ("add", "remove", "retry"):
        acts(f"hook.{name}", hooks.method(name))


def _register_recordings(daemon: Daemon) -> None:
    recordings = daemon.rooms.recordings
    daemon.dispatcher.reads("recording.input", recordings.method("input"))
    daemon.dispatcher.acts("recording.import", recordings.method("import_"))


async def _begin_hooks(daemon: Daemon) -> None:
    ((has_hooks,),) = await daemon.store.select("has_hooks")
    if has_hooks:
        await daemon.rooms.hooks.open().begin()


def _register_tasks(daemon: Daemon) -> None:
    tasks, reads, acts = daemon.rooms.tasks, daemon.dispatcher.reads, daemon.dispatcher.acts
    for name in ("list", "get", "next", "waves", "stats", "phases"):
        reads(f"task.{name}", tasks.method(name))
    for name in ("use", "set_status", "claim", "add", "update"):
        acts(f"task.{name}", tasks.method(name))


def _follow_tasks(daemon: Daemon) -> None:
    """Open the tasks once there are some, and let them hear of what is written there."""
    room, workspace = daemon.rooms.tasks, daemon.setup.workspace

    def changed(is_written: bool) -> None:
        if room.is_open:
            room.open().stirred(is_written=is_written)
        elif may_have_tasks(workspace):
            room.open()

    daemon.scud_watch.tree.on_change = changed
    changed(True)


def _register_search(daemon: Daemon) -> None:
    room = daemon.rooms.search
    daemon.dispatcher.reads("search.query", room.method("query"))
    daemon.dispatcher.reads("search.status", room.method("status"))
    daemon.dispatcher.acts("search.rebuild", room.method("rebuild"))


async def _expire_snapshots(store: Store) -> None:
    now = time.time()
    for (count,) in await store.select("snapshots_expired", now=now):
        if count:
            await store.commit(Unit().do("expire_snapshots", now=now))
