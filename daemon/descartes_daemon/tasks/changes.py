"""What is asked to become of tasks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from descartes_core.errors import Conflict, Refused
from descartes_core.messages.tasks import AddTask, ClaimTask, OfTree, SetTaskStatus, UpdateTask, UsePhase
from descartes_core.scud.mapping import own_status, scud_status
from descartes_core.scud.order import Order
from descartes_core.scud.task import Task
from descartes_core.times import written
from descartes_daemon.asking import Asking
from descartes_daemon.tasks import active_phase
from descartes_daemon.tasks.answers import Answers
from descartes_daemon.tasks.board import Board
from descartes_daemon.tasks.guard import Guard
from descartes_daemon.tasks.own_changes import OwnChanges
from descartes_daemon.tree_watch import GRAPH

Reply = dict[str, Any]


class Changes:
    """The methods that change tasks: in SCUD's file, or in the session's own rows.

    A repeat of one whose answer was lost does it again: a status that is set is set.
    """

    def __init__(self, workspace: Path, board: Board, answers: Answers, own: OwnChanges, guard: Guard) -> None:
        self._workspace, self._board, self._answers, self._own = workspace, board, answers, own
        self._guard = guard

    async def set_status(self, request: SetTaskStatus, asking: Asking) -> Reply:
        """task.set_status."""
        view, task = await self._answers.find(request.task_id, request.source)
        status, was = scud_status(request.status), scud_status(request.was or task.status)
        if view.source == "own":
            status, was = scud_status(own_status(status)), scud_status(own_status(was))
        if was != task.status:
            raise Conflict(f"task {task.task_id} is {task.status}, not {was}")
        if task.status == status:
            return await self._answers.reply(view, task)
        if view.source == "own":
            return await self._own.change(task, asking, status=status)
        return await self._carry_out(Order(task.tag, task.id, status), task, asking)

    async def claim(self, request: ClaimTask, asking: Asking) -> Reply:
        """task.claim."""
        view, task = await self._answers.find(request.task_id, request.source)
        holder = task.locked_by or task.assigned_to
        if holder not in (None, request.agent):
            raise Conflict(f"task {task.task_id} is claimed by {holder}")
        if view.source == "own":
            return await self._own.change(task, asking, assigned_to=request.agent, locked_by=request.agent)
        order = Order(task.tag, task.id, agent=request.agent, at=written(time.time()))
        return await self._carry_out(order, task, asking)

    async def _carry_out(self, order: Order, seen: Task, asking: Asking) -> Reply:
        """Write one row of SCUD's file, and tell what came of it."""
        if not self._board.is_graph:
            raise Refused(f"{self._board.place} is a mirror: only tasks of {GRAPH} are written")
        self._board.clients[seen.task_id] = asking.client
        try:
            await self._guard.carry_out(order, seen)
            await self._board.look(anew=True)
        finally:
            self._board.clients.pop(seen.task_id, None)
        return await self._answers.reply(*await self._answers.find(seen.task_id, "scud"))

    async def use(self, request: UsePhase, _asking: Asking) -> Reply:
        """task.use."""
        view = await self._answers.view()
        if view.source == "own":
            raise Refused("there is no tree of SCUD here, and so no phase to choose")
        tag = view.phase(request.phase)
        await asyncio.to_thread(active_phase.write, self._workspace, tag or "")
        return await self._answers.phases(OfTree())

    async def add(self, request: AddTask, asking: Asking) -> Reply:
        """task.add."""
        return await self._own.add(request, asking)

    async def update(self, request: UpdateTask, asking: Asking) -> Reply:
        """task.update."""
        view, task = await self._answers.find(request.task_id, None)
        if view.source != "own":
            raise Refused(f"{task.task_id} is SCUD's: its status and who has it can be set here, all else by SCUD")
        return await self._own.update(task, request, asking)
