"""Write one phase as SCUD writes it, and behind each section what is kept of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from descartes_core.scud.reading import FIELDS
from descartes_core.scud.rows import HEADER, SECTIONS, escape
from descartes_core.scud.task import LETTERS, PRIORITY_LETTERS, Phase, Task


def write_phase(phase: Phase) -> str:
    """Return the text of a phase."""
    head = [f"{HEADER} v1", f"# Phase: {phase.name or phase.tag}", *_kept(phase, "")]
    known = [
        ("nodes", "# id | title | status | complexity | priority", [_node(task) for task in phase.tasks], True),
        ("edges", "# dependent -> dependency", [row for task in phase.tasks for row in _edges(task)], False),
        ("parents", "# parent: subtasks...", [_parent(task) for task in phase.tasks if task.children], False),
        ("assignments", *_table("# id | assigned_to | locked_by | locked_at", [*_assignments(phase.tasks)]), False),
        ("agents", *_table("# id | agent_type | model_tier", [*_agents(phase.tasks)]), False),
        ("details", "", [line for task in phase.tasks for line in _details(task)], False),
    ]
    parts = ["\n".join(head), "\n".join(_meta(phase))]
    for section, heading, rows, always in known:
        # Indented lines that belong to nothing would become the end of the last detail.
        kept = _kept(phase, section)
        rows = [*kept, *rows] if section == "details" else [*rows, *kept]
        if rows or always:
            parts.append("\n".join([f"@{section}", *([heading] if heading else []), *rows]))
    unknown = [line for section, line in phase.kept if section and section not in SECTIONS]
    if unknown:
        parts.append("\n".join(unknown))
    return "\n\n".join(parts) + "\n"


def _kept(phase: Phase, section: str) -> list[str]:
    return [line for where, line in phase.kept if where == section]


def _meta(phase: Phase) -> Iterator[str]:
    yield "@meta {"
    yield f"  name {phase.tag}"
    if phase.id_format:
        yield f"  id_format {phase.id_format}"
    if phase.updated:
        yield f"  updated {phase.updated}"
    yield from _kept(phase, "meta")
    yield "}"


def _node(task: Task) -> str:
    letters = LETTERS[task.status], str(task.complexity), PRIORITY_LETTERS[task.priority]
    fields = [task.id, escape(task.title), *letters, *([task.annotation] if task.annotation else [])]
    return " | ".join(fields)


def _edges(task: Task) -> list[str]:
    return [f"{task.id} -> {dependency}" for dependency in task.dependencies]


def _parent(task: Task) -> str:
    return f"{task.id}: {', '.join(task.children)}"


def _assignments(tasks: Iterable[Task]) -> Iterator[tuple[str | None, ...]]:
    for task in tasks:
        if task.assigned_to or task.locked_by or task.locked_at:
            yield task.id, task.assigned_to, task.locked_by, task.locked_at


def _agents(tasks: Iterable[Task]) -> Iterator[tuple[str | None, ...]]:
    for task in tasks:
        if task.agent_type or task.model_tier:
            yield task.id, task.agent_type, task.model_tier


def _table(heading: str, rows: list[tuple[str | None, ...]]) -> tuple[str, list[str]]:
    """Return heading and rows; columns behind the second are there where anybody has something in them."""
    width = len(heading.split("|")) if any(any(row[2:]) for row in rows) else 2
    columns = "|".join(heading.split("|")[:width]).rstrip()
    return columns, [" | ".join(escape(field or "") for field in row[:width]) for row in rows]


def _details(task: Task) -> Iterator[str]:
    for name in FIELDS:
        text: str | None = getattr(task, name)
        if text or (text is not None and name != "description"):
            yield f"{task.id} | {name} |"
            # Also an empty line is indented: so it belongs to the text.
            yield from (f"  {line}" for line in text.split("\n") if text)
