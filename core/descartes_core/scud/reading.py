"""Read one phase of the graph, whatever its lines are.

What is not understood is kept with the section it stands in; what cannot be is told as a fault, and the rest is read.
Two things are read otherwise than SCUD reads them, as it loses what it wrote itself: blank lines within the details
belong to them, and an indented line that begins with `@` or `#` does, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from descartes_core.scud.building import Building
from descartes_core.scud.rows import (
    HEADER,
    SECTIONS,
    Line,
    fields_of,
    is_separator,
    lines_of,
    section_of,
    tag_of,
    unescape,
)
from descartes_core.scud.task import LETTERS, PRIORITY_LETTERS, Fault, Phase

STATUSES: Mapping[str, str] = MappingProxyType({letter: word for word, letter in LETTERS.items()})
PRIORITIES: Mapping[str, str] = MappingProxyType({letter: word for word, letter in PRIORITY_LETTERS.items()})
FIELDS = ("description", "details", "test_strategy")
#: What SCUD writes above the rows; no comment of anybody's.
HEADINGS = (
    "id | title | status | complexity | priority",
    "dependent -> dependency",
    "parent: subtasks...",
    "id | assigned_to",
    "id | assigned_to | locked_by | locked_at",
    "id | agent_type",
    "id | agent_type | model_tier",
)
_MOST_COMPLEX = 2**31


def read_phase(source: str, first: int = 1) -> tuple[Phase, list[Fault]]:
    """Return the phase of this text, and what is wrong with it.

    Args:
        source: from its header, or the separator before it, to the next separator.
        first: the number of its first line, for the faults.

    """
    reader = _Reader(source)
    for line in lines_of(source):
        if line.number > 1 and is_separator(line):
            break
        reader.take(line._replace(number=line.number + first - 1))
    return reader.finish()


def is_phase(source: str) -> bool:
    """Say whether any line of this text is one that only a phase has."""
    return any(tag_of(line.text) is not None or section_of(line.text) in SECTIONS for line in lines_of(source))


class _Reader:
    def __init__(self, source: str) -> None:
        self._building = Building(source)
        self._section = ""
        #: The detail that indented lines go on with: its lines, None where nobody knows its field.
        self._detail: list[str] | None = None
        self._has_detail = False
        self._blank = 0
        self._takes: Mapping[str, Callable[[Line], bool]] = {
            "": self._take_header,
            "meta": self._take_meta,
            "nodes": self._take_node,
            "edges": self._take_edge,
            "parents": self._take_parent,
            "assignments": self._take_assignment,
            "agents": self._take_agent,
            "details": self._take_detail,
        }

    def take(self, line: Line) -> None:
        """Take the next line."""
        text = line.text
        if self._has_detail and text.startswith("  "):
            self._go_on(line)
        elif not text or text.isspace():
            self._blank += 1
        elif (section := section_of(text)) is not None:
            self._begin(section, line)
        elif not self._is_understood(line):
            self._building.keep(self._section, text)

    def finish(self) -> tuple[Phase, list[Fault]]:
        """Return all that was read."""
        return self._building.finish()

    def _begin(self, section: str, line: Line) -> None:
        self._section, self._has_detail = section, False
        if section not in SECTIONS:
            self._building.keep(section, line.text)
        elif line.text.strip() not in (f"@{section}", "@meta {"):
            self._building.wrong(line, f"what stands behind @{section} is not read")

    def _is_understood(self, line: Line) -> bool:
        text = line.text.strip()
        if self._section not in self._takes:
            return False
        if text.lstrip("# ") in HEADINGS or (text == "}" and self._section == "meta"):
            return True
        if text.startswith("#") and self._section:
            return False
        return self._takes[self._section](line)

    def _take_header(self, line: Line) -> bool:
        tag = tag_of(line.text)
        if tag is not None and not self._building.tag:
            self._building.tag = tag
            return True
        return line.text.lstrip("\ufeff").rstrip() == f"{HEADER} v1" or is_separator(line)

    def _take_meta(self, line: Line) -> bool:
        key, _, value = line.text.strip().partition(" ")
        return self._building.set_meta(key, value.strip(), line)

    def _take_node(self, line: Line) -> bool:
        fields = fields_of(line.text)
        if len(fields) < 5 or not fields[0]:
            self._building.wrong(line, "a task needs id | title | status | complexity | priority")
            return False
        task_id, title, status, complexity, priority, *more = fields
        if status[:1] not in STATUSES or not status:
            self._building.wrong(line, f"task {task_id} has no status {status!r}: pending is assumed, as SCUD does")
        if priority[:1] not in PRIORITIES or not priority:
            self._building.wrong(line, f"task {task_id} has no priority {priority!r}: medium is assumed, as SCUD does")
        self._building.add(
            line,
            task_id,
            title=unescape(title),
            status=STATUSES.get(status[:1], "pending"),
            complexity=self._number(line, task_id, complexity),
            priority=PRIORITIES.get(priority[:1], "medium"),
            annotation=" | ".join(more),
        )
        return True

    def _number(self, line: Line, task_id: str, complexity: str) -> int:
        if complexity.isascii() and complexity.isdigit() and len(complexity) <= 10 and int(complexity) < _MOST_COMPLEX:
            return int(complexity)
        self._building.wrong(line, f"task {task_id} has no complexity {complexity!r}: 0 is assumed, as SCUD does")
        return 0

    def _take_edge(self, line: Line) -> bool:
        dependent, arrow, dependency = line.text.partition("->")
        if not arrow or not dependent.strip() or not dependency.strip():
            return False
        return self._building.depend(line, dependent.strip(), dependency.strip())

    def _take_parent(self, line: Line) -> bool:
        # An id may have a colon itself: the one before a space ends it, where there is one.
        parent, colon, children = line.text.strip().partition(": ")
        if not colon:
            parent, colon, children = line.text.strip().partition(":")
        found = [child.strip() for child in children.split(",") if child.strip()]
        return bool(colon) and self._building.own(line, parent.strip(), found)

    def _take_assignment(self, line: Line) -> bool:
        task_id, *who = fields_of(line.text)
        if not who:
            return False
        assigned, locked_by, locked_at, *_ = [unescape(field) or None for field in who] + [None, None]
        return self._building.set(line, task_id, assigned_to=assigned, locked_by=locked_by, locked_at=locked_at)

    def _take_agent(self, line: Line) -> bool:
        task_id, *which = fields_of(line.text)
        if not which:
            return False
        kind, tier, *_ = [unescape(field) or None for field in which] + [None]
        return self._building.set(line, task_id, agent_type=kind, model_tier=tier)

    def _take_detail(self, line: Line) -> bool:
        fields = fields_of(line.text)
        self._has_detail, self._detail, self._blank = len(fields) > 1, None, 0
        if len(fields) < 2 or fields[1] not in FIELDS:
            return False
        self._detail = self._building.begin_detail(line, fields[0], fields[1])
        if self._detail is not None and len(fields) > 2 and any(fields[2:]):
            self._detail.append(unescape(" | ".join(fields[2:])))
        return self._detail is not None

    def _go_on(self, line: Line) -> None:
        if self._detail is None:
            self._building.keep("details", line.text)
            return
        self._detail += [""] * self._blank
        self._detail.append(line.text[2:])
        self._blank = 0
