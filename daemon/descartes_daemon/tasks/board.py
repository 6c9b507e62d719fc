"""The workspace's tree of tasks: what lies there now, and what was told of it last.

What is told is what differs from the rows of the last commit, so each change is told once, whoever lived meanwhile. A
file that vanished is no deletion of its tasks, and one that is empty, or has fewer tasks, is believed after a while.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from descartes_core.scud import diff
from descartes_core.scud.task import Graph, Phase, Task
from descartes_daemon.store import Store
from descartes_daemon.tasks import tree_file
from descartes_daemon.tasks.telling import Occasion, remember, remembered, tell
from descartes_daemon.tasks.tree_file import Seen, Stamp
from descartes_daemon.tasks.view import View, view_of
from descartes_daemon.tree_watch import GRAPH
from descartes_daemon.unit import Unit
from descartes_local.probe import reached

_log = logging.getLogger(__name__)

#: How long something must be missing until it is believed (seconds): SCUD's writers wait for each other's locks.
SETTLE = 2.0
#: By which name the store knows where the tasks lay that were told last.
_PLACE = "tasks_place"
#: How often, and after which pause, what somebody is writing is read again for who asks.
_TRIES, _PAUSE = 20, 0.025


class Board:
    """SCUD's tasks; whoever asks calls `look` before."""

    def __init__(self, workspace: Path, store: Store) -> None:
        self._workspace, self._store = workspace, store
        #: What is shown; None: there is no tree, and never was.
        self.view: View | None = None
        #: What a person should know of it.
        self.notice: str | None = None
        #: Who is changing a task here just now, by its `task_id`.
        self.clients: dict[str, str] = {}
        self._told: dict[str, Task] | None = None
        self._turn = asyncio.Lock()
        #: What was believed last, and where it lay.
        self._data: bytes | None = None
        self._place: str | None = None
        self._stamps: tuple[Stamp | None, ...] | None = None
        #: Whether nothing of it is left to be told.
        self._is_told = False
        #: When what cannot be believed yet was seen first (monotonic), and tasks that are missing.
        self._doubt: tuple[object, float] | None = None
        self._missing: dict[str, float] = {}

    @property
    def place(self) -> str | None:
        """Where it lay when it was believed last."""
        return self._place

    @property
    def is_graph(self) -> bool:
        """Whether it is SCUD's own file, which may be written."""
        return self._place == GRAPH

    @property
    def doubtful_until(self) -> float | None:
        """When to look again, although nothing happens (monotonic)."""
        since = [*self._missing.values(), *([self._doubt[1]] if self._doubt else [])]
        return min(since) + SETTLE if since else None

    async def look(self, *, anew: bool = False) -> None:
        """Read the tree where it has changed, and tell what changed of it.

        Args:
            anew: also where nothing says that it has changed.

        Raises:
            Unavailable: it cannot be stored; what is shown is what lies there all the same.

        """
        async with self._turn:
            if self._told is None:
                rows = await self._store.select("scud_tasks")
                self._told = {task.task_id: task for task in (remembered(row["task"]) for row in rows)}
                if self._told:
                    self._place = await self._store.noted(_PLACE)
                    self.view = await asyncio.to_thread(view_of, "scud", _graph(self._told))
            if not anew and self._stamps == tree_file.stamps(self._workspace) and self.doubtful_until is None:
                return
            seen = await self._read()
            if self._is_believed(seen):
                await self._take(seen)
            self._stamps = seen.stamps

    async def _read(self) -> Seen:
        """Read it; what somebody is writing is read again and again for a moment."""
        tries = _TRIES
        while True:
            seen = await asyncio.to_thread(tree_file.read, self._workspace)
            tries -= 1
            if not tries or not (seen.is_busy or self._is_sudden(seen)):
                return seen
            await asyncio.sleep(_PAUSE)

    def _is_sudden(self, seen: Seen) -> bool:
        """Say whether it is empty where it was not just before."""
        return seen.is_hollow and seen.trouble is None and self._doubt is None and self._data != seen.data

    def _is_believed(self, seen: Seen) -> bool:
        """Say whether this is what the tree is now; what is not believed is believed once it stays so."""
        self.notice = seen.trouble
        if seen.place is None or seen.trouble is not None:
            self._doubt = None
            if self.view is not None:
                place = self._place or GRAPH
                self.notice = f"{seen.trouble or f'{place} is not there'}: these are the tasks as they were last seen"
            return False
        is_first = self._place is None and not self._told
        if not seen.is_busy and (is_first or (not seen.is_hollow and self._place in (None, seen.place))):
            self._doubt = None
            return True
        why, now = (seen.place, seen.data), time.monotonic()
        if self._doubt is None or self._doubt[0] != why or seen.is_busy:
            self._doubt = why, now
            reached("tasks.doubted")
        if now - self._doubt[1] < SETTLE:
            return False
        self._doubt = None
        return True

    async def _take(self, seen: Seen) -> None:
        assert seen.place is not None, "it was believed"
        assert seen.data is not None, "likewise"
        if self.view is None or seen.data != self._data or seen.place != self._place:
            self.view, self._is_told = await asyncio.to_thread(_viewed, seen.place, seen.data), False
            self._data, self._place = seen.data, seen.place
        if not self._is_told:
            await self._tell(self.view)
            self._is_told = not self._missing

    async def _tell(self, view: View) -> None:
        """Tell what differs from what was told last, but for what is missing too shortly."""
        assert self._told is not None, "it was read before"
        changes = await asyncio.to_thread(diff.changes, _graph(self._told), view.graph)
        now = time.monotonic()
        missing = [change.task_id for change in changes if change.kind == "removed"]
        self._missing = {task_id: self._missing.get(task_id, now) for task_id in missing}
        kept = {task_id for task_id, since in self._missing.items() if now - since < SETTLE}
        changes = [change for change in changes if change.task_id not in kept]
        if not changes:
            if not kept:
                self._told = view.tree.tasks  # the same, and so kept once only
            return
        unit = tell(Unit(), changes, view.tree, Occasion("scud", time.time(), self.clients))
        await self._store.commit(remember(unit, changes, view.tree).note(_PLACE, self._place or GRAPH))
        self._missing = {task_id: since for task_id, since in self._missing.items() if task_id in kept}
        self._told = {**{task_id: self._told[task_id] for task_id in kept}, **view.tree.tasks}
        _log.info("%d changes of tasks in %s", len(changes), self._place)
        reached("tasks.told")


def _viewed(place: str, data: bytes) -> View:
    return view_of("scud", tree_file.parse(place, data))


def _graph(tasks: dict[str, Task]) -> Graph:
    by_tag: dict[str, list[Task]] = {}
    for task in tasks.values():
        by_tag.setdefault(task.tag, []).append(task)
    return Graph(tuple(Phase(tag, tasks=tuple(found)) for tag, found in by_tag.items()))
