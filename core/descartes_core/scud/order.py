"""One change that somebody asks of SCUD's tasks, and what has to hold for it."""

from __future__ import annotations

from dataclasses import dataclass

from descartes_core.errors import Conflict, NotFound
from descartes_core.scud import diff, edits, graph
from descartes_core.scud.task import Graph, Task


@dataclass(frozen=True, slots=True)
class Order:
    """Give a task a status, or to an agent, or both."""

    tag: str
    id: str
    status: str | None = None
    #: Who claims it, and since when.
    agent: str | None = None
    at: str = ""
    #: Take it from whoever has it.
    by_force: bool = False

    def carried_out(self, text: str, seen: Task | None = None) -> str:
        """Return the text as it has to be.

        Args:
            text: the graph, as it is now.
            seen: the task as whoever asks for this knows it; None: however it is.

        Raises:
            Conflict: the task is not as it was seen, or somebody else has it.
            NotFound: there is no such task.

        """
        task = self.task(graph.parse(text))
        if seen is not None and _row(task) != _row(seen):
            raise Conflict(f"task {task.task_id} changed underneath: it is {task.status} now")
        holder = task.locked_by or task.assigned_to
        if self.agent is not None and holder not in (None, self.agent) and not self.by_force:
            raise Conflict(f"task {task.task_id} is claimed by {holder}")
        if self.status is not None and task.status != self.status:
            text = edits.set_status(text, self.tag, self.id, self.status)
        if self.agent is not None and holder != self.agent:
            text = edits.claim(text, self.tag, self.id, self.agent, self.at)
        return text

    def task(self, tree: Graph) -> Task:
        """Return the task it is about.

        Raises:
            NotFound: there is none.

        """
        found = [one for one in tree.tasks if one.tag == self.tag and self.id in (one.id, one.task_id)]
        found = found or [one for one in tree.tasks if one.task_id == f"{self.tag}:{self.id}"]
        if not found:
            raise NotFound(f"there is no task {self.id} in phase {self.tag}")
        return found[-1]

    def is_as(self, was: Task, now: Graph) -> bool:
        """Say whether the task is as it was once.

        Raises:
            NotFound: there is none.

        """
        return _row(self.task(now)) == _row(was)

    def is_undone(self, was: Task, previous: Graph, now: Graph) -> bool:
        """Say whether a writer undid this without knowing of it.

        A command of SCUD changes what it is about, in a tree that it read before. Where one write put the task back and
        changed another, the writer had read the tree before this order; where it put back this task alone, somebody
        wanted that.

        Args:
            was: the task before this order was carried out.
            previous: the tree before that write.
            now: the tree after it.

        """
        try:
            had, has = self.task(previous), self.task(now)
        except NotFound:
            return False
        is_back = self._holds(had) and not self._holds(has) and _row(has) == _row(was)
        return is_back and any(one.task_id != has.task_id for one in diff.changes(previous, now))

    def _holds(self, task: Task) -> bool:
        is_taken = self.agent is None or self.agent in (task.locked_by, task.assigned_to)
        return is_taken and self.status in (None, task.status)


def _row(task: Task) -> tuple[str | None, ...]:
    return task.status, task.assigned_to, task.locked_by, task.locked_at
