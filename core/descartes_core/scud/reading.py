"""Read one phase of the graph, whatever its lines are.

What is not understood is kept with the section it stands in; what cannot be is told as a fault, and the rest is read.
Two things are read otherwise than SCUD reads them, as it loses what it wrote itself: blank lines within the details
belong to them, and an indented line that begins with `@` does, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from descartes_core.scud.building import Building
from descartes_core.scud.rows import HEADER, SECTIONS, clean, fields_of, is_separator, section_of, tag_of, unescape
from descartes_core.scud.task import LETTERS, PRIORITY_LETTERS, Fault, Phase

STATUSES: Mapping[str, str] = MappingProxyType({letter: word for word, letter in LETTERS.items()})
PRIORITIES: Mapping[str, str] = MappingProxyType({letter: word for word, letter in PRIORITY_LETTERS.items()})
FIELDS = ("description", "details", "test_strategy")
#: What SCUD writes above the rows; no comment of anybody's.
HEADINGS = frozenset(
    {
        "id | title | status | complexity | priority",
        "dependent -> dependency",
        "parent: subtasks...",
        "parent: child1, child2",
        "id | assigned_to",
        "id | assigned_to | locked_by | locked_at",
        "id | agent_type",
        "id | agent_type | model_tier",
    }
)
_MOST_COMPLEX = 2**31


def read_phase(source: str, first: int = 1) -> tuple[Phase, list[Fault]]:
    """Return the phase of this text, and what is wrong with it.

    Args:
        source: from its header, or the separator before it, to the next separator.
        first: the number of its first line, for the faults.

    """
    return _Reader(source).read(first)


class _Reader:
    def __init__(self, source: str) -> None:
        text = clean(source)
        # Only a line feed ends a line: other ends may stand in a title.
        self._lines = text.split("\n") if "\r" not in text else [one.removesuffix("\r") for one in text.split("\n")]
        self._building = Building(source, self._lines)
        self._section = ""
        #: Whether indented lines go on with a detail: with its lines, None where nobody knows its field.
        self._has_detail = False
        self._detail: list[str] | None = None
        self._blank = 0
        self._takes: Mapping[str, Callable[[int, str], bool]] = {
            "": self._take_header,
            "meta": self._take_meta,
            "nodes": self._take_node,
            "edges": self._take_edge,
            "parents": self._take_parent,
            "assignments": self._take_assignment,
            "agents": self._take_agent,
            "details": self._take_detail,
        }

    def read(self, first: int) -> tuple[Phase, list[Fault]]:
        """Return all there is to the next separator."""
        for row, text in enumerate(self._lines):
            if self._has_detail and text.startswith("  "):
                self._go_on(text)
            elif not text or text.isspace():
                self._blank += 1
            elif text[0] == "@" and (section := section_of(text)) is not None:
                self._begin(row, section, text)
            elif row > 0 and is_separator(text):
                break
            elif not self._is_understood(row, text):
                self._building.keep(self._section, text)
        return self._building.finish(first)

    def _begin(self, row: int, section: str, text: str) -> None:
        self._section, self._has_detail = section, False
        if section not in SECTIONS:
            self._building.keep(section, text)
        elif text.strip() not in (f"@{section}", "@meta {"):
            self._building.wrong(row, f"what stands behind @{section} is not read")

    def _is_understood(self, row: int, text: str) -> bool:
        take = self._takes.get(self._section)
        if take is None:
            return False
        bare = text.strip()
        # One version's manual shows the headings without their #.
        if bare.lstrip("# ") in HEADINGS or (bare == "}" and self._section == "meta"):
            return True
        if bare[0] == "#" and self._section:
            return False
        return take(row, bare)

    def _take_header(self, row: int, text: str) -> bool:
        tag = tag_of(self._lines[row])  # only at the beginning of a line, as for SCUD
        if tag is not None and not self._building.tag:
            self._building.tag = tag
            return True
        return text.lstrip("\ufeff") == f"{HEADER} v1" or (row == 0 and is_separator(text))

    def _take_meta(self, row: int, text: str) -> bool:
        key, _, value = text.partition(" ")
        return self._building.set_meta(row, key, value.strip())

    def _take_node(self, row: int, text: str) -> bool:
        fields = fields_of(text)
        if len(fields) < 5 or not fields[0]:
            self._building.wrong(row, "a task needs id | title | status | complexity | priority")
            return False
        task_id, title, status, points, priority, *more = fields
        read = {"title": unescape(title), "status": STATUSES.get(status[:1]), "priority": PRIORITIES.get(priority[:1])}
        for name, written, otherwise in (("status", status, "pending"), ("priority", priority, "medium")):
            if read[name] is None:
                read[name] = otherwise
                self._building.wrong(row, f"task {task_id}: {written!r} is no {name}, {otherwise} is assumed")
        complexity = int(points) if points.isdecimal() and points.isascii() and len(points) <= 10 else -1
        if not 0 <= complexity < _MOST_COMPLEX:
            self._building.wrong(row, f"task {task_id}: {points!r} is no complexity, 0 is assumed")
            complexity = 0
        self._building.add(row, task_id, {**read, "complexity": complexity, "annotation": " | ".join(more)})
        return True

    def _take_edge(self, row: int, text: str) -> bool:
        dependent, arrow, dependency = text.partition("->")
        dependent, dependency = dependent.rstrip(), dependency.lstrip()
        if not arrow or not dependent or not dependency:
            return False
        self._building.depend(row, dependent, dependency)
        return True

    def _take_parent(self, row: int, text: str) -> bool:
        # An id may have a colon itself: the one before a space ends it, where there is one.
        parent, colon, children = text.partition(": ")
        if not colon:
            parent, colon, children = text.partition(":")
        if not colon:
            return False
        self._building.own(row, parent.strip(), [child.strip() for child in children.split(",") if child.strip()])
        return True

    def _take_assignment(self, row: int, text: str) -> bool:
        task_id, *who = fields_of(text)
        if not who:
            return False
        assigned, locked_by, locked_at, *_ = [*[unescape(field) or None for field in who], None, None]
        self._building.set(row, task_id, {"assigned_to": assigned, "locked_by": locked_by, "locked_at": locked_at})
        return True

    def _take_agent(self, row: int, text: str) -> bool:
        task_id, *which = fields_of(text)
        if not which:
            return False
        kind, tier, *_ = [*[unescape(field) or None for field in which], None]
        self._building.set(row, task_id, {"agent_type": kind, "model_tier": tier})
        return True

    def _take_detail(self, row: int, text: str) -> bool:
        task_id, *fields = fields_of(text)
        self._has_detail, self._detail, self._blank = bool(fields), None, 0
        if not fields or fields[0] not in FIELDS:
            return False
        self._detail = self._building.begin_detail(row, task_id, fields[0])
        if any(fields[1:]):
            self._detail.append(unescape(" | ".join(fields[1:])))
        return True

    def _go_on(self, text: str) -> None:
        if self._detail is None:
            self._building.keep("details", text)
            return
        if self._blank:
            self._detail += [""] * self._blank
            self._blank = 0
        self._detail.append(text[2:])
