"""Change the tasks that a session keeps itself: rows, events and answer in one commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from descartes_core.errors import AlreadyExists, Refused
from descartes_core.messages.tasks import AddTask, UpdateTask
from descartes_core.scud import checking, diff
from descartes_core.scud.mapping import own_complexity, own_status, points, scud_status
from descartes_core.scud.task import Graph, Phase, Task
from descartes_core.times import written
from descartes_daemon.asking import Asking
from descartes_daemon.store import Store
from descartes_daemon.tasks.own import TAG, own_view
from descartes_daemon.tasks.telling import Occasion, tell
from descartes_daemon.tasks.view import View, view_of
from descartes_daemon.unit import Unit

Reply = dict[str, Any]


class OwnChanges:
    """Adds and changes own tasks, one after the other."""

    def __init__(self, store: Store, reply: Callable[[View, Task], Awaitable[Reply]]) -> None:
        """Know where they are, and how one is answered."""
        self._store, self._reply = store, reply
        self._turn = asyncio.Lock()

    async def add(self, request: AddTask, asking: Asking) -> Reply:
        """Add one.

        Raises:
            AlreadyExists: one has this id.
            TaskNotFound: what it needs is not there.

        """
        async with self._turn:
            before = await own_view(self._store)
            task = Task(
                id=request.id or str((await self._store.select("next_own_id"))[0]["id"]),
                tag=TAG,
                title=request.title,
                complexity=_points(request.complexity),
                priority=request.priority,
                dependencies=tuple(_ids(before, request.dependencies)),
                description=request.description,
            )
            if task.task_id in before.tree.tasks:
                raise AlreadyExists(f"task {task.task_id} exists already")
            unit = Unit().do("add_own_task", **_row(task), at=(at := time.time()))
            return await self._commit(unit, before, task, asking, at)

    async def update(self, task: Task, request: UpdateTask, asking: Asking) -> Reply:
        """Change what is named of one.

        Raises:
            Refused: it would wait for itself.
            TaskNotFound: what it needs is not there.

        """
        named = {name: getattr(request, name) for name in ("title", "description", "priority")}
        changes = {name: value for name, value in named.items() if value is not None}
        if request.status is not None:
            changes["status"] = scud_status(request.status)
        if request.complexity is not None:
            changes["complexity"] = _points(request.complexity)
        if request.dependencies is not None:
            before = await own_view(self._store)
            changes["dependencies"] = tuple(_ids(before, request.dependencies))
        return await self.change(task, asking, **changes)

    async def change(self, task: Task, asking: Asking, **changes: Any) -> Reply:
        """Change one as it is now."""
        async with self._turn:
            before = await own_view(self._store)
            at = time.time()
            if "status" in changes:  # as it will be read again: several of SCUD's words are one here
                changes["status"] = scud_status(own_status(changes["status"]))
            if "locked_by" in changes:
                changes["locked_at"] = written(at)
            task = replace(before.find(task.task_id), **changes)
            unit = Unit().do("update_own_task", **_row(task), at=at)
            if "locked_by" in changes:
                unit.do("claim_own_task", id=task.id, at=at)
            return await self._commit(unit, before, task, asking, at)

    async def _commit(self, unit: Unit, before: View, task: Task, asking: Asking, at: float) -> Reply:
        after = view_of("own", _with(before.graph, task))
        if rings := checking.rings(after.tree):
            raise Refused(f"it would wait for itself: {' -> '.join(one.id for one in rings[0])}")
        old = before.tree.tasks.get(task.task_id)
        if old is None or old.dependencies != task.dependencies:
            unit.do("own_task_needs_nothing", task=task.id)
            for need in task.dependencies:
                unit.do("own_task_needs", task=task.id, depends_on=need, at=at)
        tell(
            unit,
            diff.changes(before.graph, after.graph),
            after.tree,
            Occasion("own", at, {task.task_id: asking.client}),
        )
        answer = await self._reply(after, task)
        await self._store.commit(asking.answered(asking.accepted(unit), answer))
        asking.answer = answer
        return answer


def _ids(view: View, names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(view.find(name).id for name in names))


def _points(complexity: int | str) -> int:
    """Return the points as they will be read again: a word stands for some of them."""
    return points(complexity if isinstance(complexity, str) else own_complexity(complexity))


def _row(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "title": task.title,
        "description": task.description,
        "status": own_status(task.status),
        "priority": task.priority,
        "complexity": own_complexity(task.complexity),
        "assigned_to": task.assigned_to,
    }


def _with(graph: Graph, task: Task) -> Graph:
    """Return a graph with this task, new or in its old place."""
    tasks = {one.id: one for phase in graph.phases for one in phase.tasks} | {task.id: task}
    return Graph((Phase(TAG, tasks=tuple(tasks.values())),))
