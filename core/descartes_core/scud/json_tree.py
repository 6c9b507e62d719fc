"""SCUD's tasks as JSON: its own files, and what people wrote by hand.

Four shapes are read: an object of phases {tag: {name, tasks}}; one phase {tag, tasks} with `depends_on`; {tasks} alone;
and a bare list. Ids may be numbers. Where nobody names the phase it is `tasks`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from descartes_core.scud.task import LETTERS, PRIORITY_LETTERS, Fault, Graph, Phase, Task

UNNAMED = "tasks"
_TEXTS = ("details", "test_strategy", "assigned_to", "locked_by", "locked_at", "agent_type", "model_tier")


def parse(text: str) -> Graph:
    """Return all phases; any text is read, and what is wrong with it stands in the faults."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Graph((), (Fault(getattr(error, "lineno", 0), "", "this is no JSON"),)) if text.strip() else Graph()
    faults: list[Fault] = []
    phases = [_phase(tag, content, faults) for tag, content in _phases(read, faults)]
    return Graph(tuple(phases), tuple(faults))


def _phases(read: Any, faults: list[Fault]) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(read, list):
        return [(UNNAMED, {"tasks": read})]
    if isinstance(read, dict) and isinstance(read.get("tasks"), list):
        return [(str(read.get("tag") or read.get("name") or UNNAMED), read)]
    if not isinstance(read, dict):
        faults.append(Fault(0, "", "these are no phases with tasks"))
        return []
    found = [(tag, one) for tag, one in read.items() if isinstance(one, dict) and isinstance(one.get("tasks"), list)]
    known = dict(found)
    faults += [Fault(0, _clean(tag), "this is no phase: it has no tasks") for tag in read if tag not in known]
    return found


def _phase(tag: str, content: dict[str, Any], faults: list[Fault]) -> Phase:
    tag = _clean(tag)
    tasks: dict[str, Task] = {}
    for entry in content["tasks"]:
        task = _task(tag, entry) if isinstance(entry, dict) else None
        if task is None:
            faults.append(Fault(0, tag, "an entry is no task: it has no id"))
            continue
        if task.id in tasks:
            faults.append(Fault(0, tag, f"task {task.id} stands twice: the last counts"))
        tasks[task.id] = task
    name = _text(content, "name") or ""
    updated = _text(content, "updated") or _text(content, "updated_at") or ""
    return Phase(tag, name if name != tag else "", updated, tasks=tuple(_joined(tasks)))


def _task(tag: str, entry: dict[str, Any]) -> Task | None:
    task_id = _name(entry.get("id"))
    if task_id is None:
        return None
    status = str(entry.get("status", "")).replace("_", "-").lower()
    priority = str(entry.get("priority", "")).lower()
    points = entry.get("complexity")
    texts: dict[str, Any] = {name: _text(entry, name) for name in _TEXTS}
    return Task(
        id=task_id,
        tag=tag,
        title=_text(entry, "title") or _text(entry, "name") or "",
        status=status if status in LETTERS else "pending",
        complexity=points if isinstance(points, int) and not isinstance(points, bool) and 0 <= points < 2**31 else 0,
        priority=priority if priority in PRIORITY_LETTERS else "medium",
        dependencies=_names(entry.get("dependencies", entry.get("depends_on"))),
        parent=_name(entry.get("parent_id")),
        children=_names(entry.get("subtasks")),
        description=_text(entry, "description") or "",
        **texts,
    )


def _joined(tasks: dict[str, Task]) -> list[Task]:
    """Return tasks whose parents are known also where only the parent names its parts."""
    parents = {child: task.id for task in tasks.values() for child in task.children}
    return [
        replace(task, parent=parents[task.id]) if task.parent is None and task.id in parents else task
        for task in tasks.values()
    ]


def _name(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return _clean(str(value)).strip() or None


def _names(value: Any) -> tuple[str, ...]:
    found = [_name(one.get("id") if isinstance(one, dict) else one) for one in value] if isinstance(value, list) else []
    return tuple(one for one in found if one is not None)


def _text(entry: dict[str, Any], name: str) -> str | None:
    value = entry.get(name)
    return _clean(value) if isinstance(value, str) else None


def _clean(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
