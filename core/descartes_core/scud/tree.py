"""Tasks by the names others call them by, and what each waits for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from descartes_core.scud.task import Graph, Task, id_order

#: Of these nothing is left to do.
ENDED = ("done", "cancelled")


class Tree:
    """All tasks of a graph, found by reference; made once for many questions."""

    def __init__(self, graph: Graph) -> None:
        # The last of two wins, as SCUD has it.
        self.tasks = {task.task_id: task for task in graph.tasks}
        self._by_written = {task.id: task for task in graph.tasks if ":" in task.id}
        self._children: dict[str, list[Task]] = {}
        self._done: dict[str, bool] = {}  # as many wait for the same
        self._parents: dict[str, Task] = {}
        for key, task in self.tasks.items():
            parent = self.find(task.parent, task.tag) if task.parent is not None else None
            if parent is not None:
                self._parents[key] = parent
                self._children.setdefault(parent.task_id, []).append(task)

    def find(self, reference: str, tag: str) -> Task | None:
        """Return the task that a row of phase `tag` means: `3` of its own phase, `auth:3` of any."""
        own = self.tasks.get(f"{tag}:{reference}")
        return own or self.tasks.get(reference) or self._by_written.get(reference)

    def parent(self, task: Task) -> Task | None:
        """Return the task it is part of."""
        return self._parents.get(task.task_id)

    def children(self, task: Task) -> list[Task]:
        """Return its parts."""
        return self._children.get(task.task_id, [])

    def dependencies(self, task: Task) -> Iterator[tuple[str, Task | None]]:
        """Yield what it waits for, each once: its own dependencies and those of all it is part of; None is missing."""
        seen: set[str] = set()
        for holder in self.line(task):
            for reference in holder.dependencies:
                found = self.find(reference, holder.tag)
                key = found.task_id if found else reference
                if key not in seen:
                    seen.add(key)
                    yield key, found

    def line(self, task: Task) -> Iterator[Task]:
        """Yield a task and all it is part of, also where somebody made a ring of them."""
        seen: set[str] = set()
        here: Task | None = task
        while here is not None and (key := here.task_id) not in seen:
            seen.add(key)
            yield here
            here = self._parents.get(key)

    def parts(self, task: Task) -> Iterator[Task]:
        """Yield what is to be done for a task: itself, or of a container all that has no parts itself."""
        seen, waiting = set[str](), [task]
        while waiting:
            here = waiting.pop()
            if here.task_id in seen:
                continue
            seen.add(here.task_id)
            children = self.children(here)
            if children and here.status not in ENDED:
                waiting += children
            else:
                yield here

    def is_done(self, task: Task) -> bool:
        """Say whether nobody has to wait for it: it is done, or a container of which no part is left to do."""
        found = self._done.get(task.task_id)
        if found is None:
            found = self._done[task.task_id] = self._is_done(task)
        return found

    def _is_done(self, task: Task) -> bool:
        if not self.children(task):
            return task.status == "done"
        return task.status != "cancelled" and all(part.status in ENDED for part in self.parts(task))


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """Return tasks by their natural order, phase by phase."""
    by_tag: dict[str, list[Task]] = {}
    for task in tasks:
        by_tag.setdefault(task.tag, []).append(task)
    return [task for found in by_tag.values() for task in sorted(found, key=lambda one: id_order(one.id))]
