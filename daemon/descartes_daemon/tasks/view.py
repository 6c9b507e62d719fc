"""A tree of tasks with all that is asked of it again and again, made once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from descartes_core.errors import Ambiguous, TaskNotFound
from descartes_core.scud import checking, rules
from descartes_core.scud.task import Fault, Graph, Task
from descartes_core.scud.tree import Tree

#: So many faults are told; who has more mends these first.
_MOST_FAULTS = 100


@dataclass(frozen=True)
class View:
    """Tasks as they are at one moment."""

    #: scud or own.
    source: str
    graph: Graph
    tree: Tree
    ready: frozenset[str]

    @cached_property
    def faults(self) -> list[str]:
        """What is wrong with them; who asks first may wait for it."""
        return _told(checking.faults(self.graph))

    def find(self, name: str, active: str | None = None) -> Task:
        """Return the task that is meant by `phase:id`, or by an id: of the active phase before all others.

        Raises:
            TaskNotFound: there is none.
            Ambiguous: several phases have it.

        """
        if (task := self.tree.tasks.get(name)) is not None:
            return task
        if active is not None and (task := self.tree.tasks.get(f"{active}:{name}")) is not None:
            return task
        named = [task for task in self.tree.tasks.values() if name in (task.id, task.task_id.partition(":")[2])]
        if not named:
            raise TaskNotFound(f"there is no task {name!r}; descartes tasks list shows all")
        if len(named) > 1:
            raise Ambiguous(f"{name!r} fits {', '.join(task.task_id for task in named[:10])}")
        return named[0]

    def phase(self, tag: str | None) -> str | None:
        """Return the phase, once it is known that there is one of this name.

        Raises:
            TaskNotFound: there is none.

        """
        if tag is None or any(phase.tag == tag for phase in self.graph.phases):
            return tag
        known = ", ".join(phase.tag for phase in self.graph.phases) or "none"
        raise TaskNotFound(f"there is no phase {tag!r}; there are: {known}")


def view_of(source: str, graph: Graph) -> View:
    """Return what there is to see of a graph; with ten thousand tasks in a thread, as it takes a while."""
    # What it was read from is not needed again: it is as large as all else together.
    graph = replace(graph, phases=tuple(replace(phase, source="") for phase in graph.phases))
    tree = Tree(graph)
    return View(source, graph, tree, frozenset(key for key, task in tree.tasks.items() if rules.is_ready(tree, task)))


def _told(faults: list[Fault]) -> list[str]:
    told = [_where(fault) + fault.text for fault in faults[:_MOST_FAULTS]]
    return [*told, f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else told


def _where(fault: Fault) -> str:
    """Return the phase and the line, but where the text begins with the task's whole id."""
    if not fault.line and fault.text.startswith(f"{fault.phase}:"):
        return ""
    where = " ".join(filter(None, (fault.phase, f"line {fault.line}" if fault.line else "")))
    return f"{where}: " if where else ""
