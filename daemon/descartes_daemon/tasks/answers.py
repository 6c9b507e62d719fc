"""What is asked of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from descartes_core.messages.tasks import ListTasks, NextTask, OfTree, OneTask, Waves
from descartes_core.scud import rules
from descartes_core.scud.mapping import scud_status
from descartes_core.scud.task import Graph, Task
from descartes_core.scud.tree import in_order
from descartes_daemon.store import Store
from descartes_daemon.tasks import active_phase
from descartes_daemon.tasks.board import Board
from descartes_daemon.tasks.own import TAG, own_view
from descartes_daemon.tasks.showing import shown, shown_whole
from descartes_daemon.tasks.view import View, view_of

Reply = dict[str, Any]


class Answers:
    """The methods that read tasks; each takes a checked request."""

    def __init__(self, workspace: Path, store: Store, board: Board, look: Callable[[], Awaitable[None]]) -> None:
        """Know where to look, and what sees to it that the board is as the workspace is."""
        self._workspace, self._store, self._board, self._look = workspace, store, board, look

    async def view(self, source: str | None = None) -> View:
        """Return the tasks that are meant: SCUD's where there are any, else the session's own."""
        if source != "own":
            await self._look()
            if self._board.view is not None or source == "scud":
                return self._board.view or view_of("scud", Graph())
        return await own_view(self._store)

    def active(self, view: View) -> str | None:
        """Return the active phase, where there is such a phase."""
        tag = active_phase.read(self._workspace) if view.source == "scud" else None
        return tag if any(phase.tag == tag for phase in view.graph.phases) else None

    async def list(self, request: ListTasks) -> Reply:
        """task.list."""
        view = await self.view(request.source)
        phase = view.phase(request.phase)
        statuses = set(map(scud_status, request.status))
        found = [task for task in view.tree.tasks.values() if phase is None or task.tag == phase]
        found = [task for task in found if not statuses or task.status in statuses]
        found = [task for task in found if not request.ready or task.task_id in view.ready]
        page = found[request.offset : request.offset + request.limit]
        return {
            "source": view.source,
            "tasks": [shown(view, task) for task in page],
            "total": len(found),
            "active_phase": self.active(view),
            "faults": await asyncio.to_thread(lambda: view.faults),
            "notice": self._board.notice if view.source == "scud" else None,
        }

    async def get(self, request: OneTask) -> Reply:
        """task.get."""
        return await self.reply(*await self.find(request.task_id, request.source))

    async def find(self, name: str, source: str | None) -> tuple[View, Task]:
        """Return the task that is meant, and where it is.

        Raises:
            TaskNotFound, Ambiguous: none, or several are.

        """
        view = await self.view("own" if source is None and name.startswith(f"{TAG}:") else source)
        return view, view.find(name, self.active(view))

    async def reply(self, view: View, task: Task) -> Reply:
        """Return one task as it is answered."""
        rows = await self._store.select("agents_of_task", task=task.task_id)
        return {"task": shown_whole(view, task, [row["id"] for row in rows])}

    async def next(self, request: NextTask) -> Reply:
        """task.next."""
        view = await self.view(request.source)
        phase = view.phase(request.phase) or self.active(view)
        found = [view.tree.tasks[key] for key in view.tree.tasks if key in view.ready]
        ready = in_order(task for task in found if phase in (None, task.tag))
        task = next((task for task in ready if not task.locked_by), None)
        answer = None if task is None else (await self.reply(view, task))["task"]
        return {"task": answer, "ready": len(ready), "phase": phase}

    async def waves(self, request: Waves) -> Reply:
        """task.waves."""
        view = await self.view(request.source)
        only = view.phase(request.phase)
        tags = [phase.tag for phase in view.graph.phases if only in (None, phase.tag)]
        return {"phases": await asyncio.to_thread(lambda: [_waves(view, tag) for tag in tags])}

    async def stats(self, request: OfTree) -> Reply:
        """task.stats."""
        return asdict(await asyncio.to_thread(rules.stats, (await self.view(request.source)).graph))

    async def phases(self, request: OfTree) -> Reply:
        """task.phases."""
        view = await self.view(request.source)
        active, counts = self.active(view), await asyncio.to_thread(rules.phases, view.graph)
        return {
            "source": view.source,
            "phases": [
                {
                    "tag": phase.tag,
                    "name": phase.name or phase.tag,
                    "updated": phase.updated or None,
                    "tasks": count.nodes,
                    "by_status": count.by_status,
                    "ready": count.ready,
                    "is_active": phase.tag == active,
                }
                for phase, count in zip(view.graph.phases, counts, strict=True)
            ],
        }


def _waves(view: View, tag: str) -> Reply:
    found = rules.waves(view.graph, tag)
    return {
        "phase": tag,
        "waves": [[task.id for task in wave] for wave in found.waves],
        "stuck": [task.id for task in found.stuck],
    }
