"""What changed between two trees of tasks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from descartes_core.scud.task import Graph, Task

#: What tells that a task is another one, not that it changed.
_NAMES = ("id", "tag", "status")
FIELDS = tuple(one.name for one in fields(Task) if one.name not in _NAMES)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to one task."""

    kind: Literal["created", "status_changed", "changed", "removed"]
    #: As it is now; a removed one as it was last.
    task: Task
    #: Its status before; None of a created one.
    was: str | None
    #: Its status now; None of a removed one.
    became: str | None
    #: What else of a changed one is different: (field, before, now).
    fields: tuple[tuple[str, Any, Any], ...] = ()

    @property
    def task_id(self) -> str:
        """`tag:id`."""
        return self.task.task_id


def changes(before: Graph, after: Graph) -> list[Change]:
    """Return what happened, in the order of the file; a changed status and other changes are two."""
    old = {task.task_id: task for task in before.tasks}
    new = {task.task_id: task for task in after.tasks}
    found = [Change("removed", task, task.status, None) for key, task in old.items() if key not in new]
    for key, task in new.items():
        found += _of_one(old.get(key), task)
    return found


def _of_one(old: Task | None, new: Task) -> list[Change]:
    if old is None:
        return [Change("created", new, None, new.status)]
    if old == new:
        return []
    found = []
    if old.status != new.status:
        found.append(Change("status_changed", new, old.status, new.status))
    others = tuple((name, getattr(old, name), getattr(new, name)) for name in FIELDS)
    others = tuple((name, was, became) for name, was, became in others if was != became)
    return [*found, Change("changed", new, new.status, new.status, others)] if others else found
