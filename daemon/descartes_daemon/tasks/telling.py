"""Say what became of tasks: events, and the rows that remember what was told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from descartes_core.scud.diff import Change
from descartes_core.scud.task import Task
from descartes_core.scud.tree import Tree
from descartes_daemon.unit import Unit

#: The original's word for a status, told besides `status_changed`.
_WORDS = {"in-progress": "started", "done": "completed", "failed": "failed", "cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class Occasion:
    """When and by whom tasks became what they are."""

    #: scud or own.
    source: str
    at: float
    #: Who asked for it here, by `task_id`; who is not named was found so in the workspace.
    clients: Mapping[str, str]


def tell(unit: Unit, changes: Iterable[Change], after: Tree, occasion: Occasion) -> Unit:
    """Add the events of these changes to a unit, in their order, and how far what they are part of is."""
    moved: dict[str, Task] = {}
    for change in changes:
        _tell_one(unit, change, occasion)
        is_part = change.kind == "status_changed" and "done" in (change.was, change.became)
        if is_part and (parent := after.parent(change.task)) is not None:
            moved[parent.task_id] = parent
    for parent in moved.values():
        statuses = [part.status for part in after.children(parent)]
        _event(unit, "progress", parent, {"done": statuses.count("done"), "of": len(statuses)}, occasion)
    return unit


def _tell_one(unit: Unit, change: Change, occasion: Occasion) -> None:
    task = change.task
    match change.kind:
        case "created":
            _event(unit, "created", task, {"status": task.status}, occasion)
        case "removed":
            _event(unit, "removed", task, {"was": task.status}, occasion)
        case "changed":
            fields = [name for name, _, _ in change.fields]
            _event(unit, "changed", task, {"status": task.status, "fields": fields}, occasion)
        case "status_changed":
            for word in filter(None, ("status_changed", _WORDS.get(task.status))):
                _event(unit, word, task, {"was": change.was, "status": task.status}, occasion)


def _event(unit: Unit, word: str, task: Task, more: dict[str, Any], occasion: Occasion) -> None:
    about = {"task_id": task.task_id, "title": task.title, "source": occasion.source}
    data = {**about, "client": occasion.clients.get(task.task_id), **more}
    unit.event("TaskEvent", word, None, data, occasion.at)


def remember(unit: Unit, changes: Iterable[Change], after: Tree) -> Unit:
    """Add the rows that say that these changes were told."""
    places = {task_id: place for place, task_id in enumerate(after.tasks)}
    for change in changes:
        task_id = change.task_id
        if change.kind == "removed":
            unit.do("forget_scud_task", task_id=task_id)
        else:
            text = json.dumps(asdict(change.task))
            unit.do("put_scud_task", task_id=task_id, place=places.get(task_id, 0), task=text)
    return unit


def remembered(text: str) -> Task:
    """Return a task as a row has it; what another version kept besides is left out."""
    kept: dict[str, Any] = {name: value for name, value in json.loads(text).items() if name in Task.__slots__}
    whole: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in kept.items()}
    return Task(**whole)
