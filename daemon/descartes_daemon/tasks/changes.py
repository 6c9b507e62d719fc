"""What is asked to become of tasks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from descartes_core.errors import Refused
from descartes_core.messages.tasks import AddTask, ClaimTask, OfTree, SetTaskStatus, UpdateTask, UsePhase
from descartes_core.scud.mapping import scud_status
from descartes_core.scud.task import Task
from descartes_daemon.asking import Asking
from descartes_daemon.tasks import active_phase
from descartes_daemon.tasks.answers import Answers
from descartes_daemon.tasks.board import Board
from descartes_daemon.tasks.own_changes import OwnChanges
from descartes_daemon.tree_watch import GRAPH

Reply = dict[str, Any]


class Changes:
    """The methods that change tasks: in SCUD's file, or in the session's own rows.

    A repeat of one whose answer was lost does it again: a status that is set is set.
    """

    def __init__(self, workspace: Path, board: Board, answers: Answers, own: OwnChanges) -> None:
        self._workspace, self._board, self._answers, self._own = workspace, board, answers, own

    async def set_status(self, request: SetTaskStatus, asking: Asking) -> Reply:
        """task.set_status."""
        view, task = await self._answers.find(request.task_id, request.source)
        status = scud_status(request.status)
        if view.source == "own":
            return await self._own.change(task, asking, status=status)
        if task.status == status:
            return await self._answers.reply(view, task)
        raise self._refusal(task)

    async def claim(self, request: ClaimTask, asking: Asking) -> Reply:
        """task.claim."""
        view, task = await self._answers.find(request.task_id, request.source)
        if view.source == "own":
            return await self._own.change(task, asking, assigned_to=request.agent, locked_by=request.agent)
        raise self._refusal(task)

    def _refusal(self, task: Task) -> Refused:
        if not self._board.is_graph:
            return Refused(f"{self._board.place} is a mirror: only tasks of {GRAPH} are written")
        return Refused(f"{task.task_id} is SCUD's: only SCUD changes it")

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
