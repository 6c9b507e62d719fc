"""The tasks of this session, put together."""

from __future__ import annotations

import asyncio
import logging

from descartes_core.errors import DescartesError
from descartes_core.messages.tasks import SetTaskStatus
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.asking import Asking
from descartes_daemon.ground import Ground
from descartes_daemon.tasks.answers import Answers
from descartes_daemon.tasks.board import Board
from descartes_daemon.tasks.changes import Changes
from descartes_daemon.tasks.guard import Guard
from descartes_daemon.tasks.own_changes import OwnChanges
from descartes_daemon.tasks.watch import Watch
from descartes_daemon.tasks.writing_back import WritingBack
from descartes_daemon.tree_watch import GRAPH
from descartes_local.probe import reached

_log = logging.getLogger(__name__)


class Tasks:
    """What `Rooms.tasks` gives: the methods, and what others tell it."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        workspace, store = ground.setup.workspace, ground.store
        board = Board(workspace, store)
        data = ground.setup.home.session(ground.setup.record.id)
        guard = Guard(WritingBack(workspace / GRAPH, data / "tasks.writing"))
        self._watch = Watch(board, guard)
        self._answers = answers = Answers(workspace, store, board, self._watch.look)
        self._changes = changes = Changes(workspace, board, answers, OwnChanges(store, answers.reply), guard)
        self._running = ground.background.start(self._watch.run(), "watch tasks")
        self.list, self.get, self.next, self.waves = answers.list, answers.get, answers.next, answers.waves
        self.stats, self.phases = answers.stats, answers.phases
        self.use, self.set_status, self.claim = changes.use, changes.set_status, changes.claim
        self.add, self.update = changes.add, changes.update
        self.stirred = self._watch.stirred

    async def carried(self, name: str) -> str:
        """Return the whole id of the task that an agent is to carry.

        Raises:
            TaskNotFound, Ambiguous: none, or several are meant.

        """
        return (await self._answers.find(name, None))[1].task_id

    def begun(self, agent: AgentRow) -> None:
        """Hear that an agent runs that was started for a task; its end does not close the task."""
        if self._ground.setup.settings.tasks.write_back and agent.task is not None:
            self._ground.background.start(self._begin(agent, agent.task), f"begin task {agent.task}")

    async def _begin(self, agent: AgentRow, task_id: str) -> None:
        try:
            _, task = await self._answers.find(task_id, None)
            if task.status == "pending":
                wish = SetTaskStatus(task_id=task_id, status="in-progress")
                await self._changes.set_status(wish, Asking("task.set_status", f"agent {agent.name}"))
        except DescartesError as error:
            _log.warning("task %s is not in-progress: %s", task_id, error)
            self._ground.tell_people(f"task {task_id} could not be made in-progress for {agent.name}: {error.message}")
        reached("tasks.begun")

    async def close(self) -> None:
        """Look no more."""
        self._running.cancel()
        await asyncio.wait([self._running])


def open_room(ground: Ground) -> Tasks:
    """Open it: from now on it is known what others write there."""
    return Tasks(ground)
