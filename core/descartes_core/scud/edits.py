"""Change one row of a graph's text, and no other byte of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from descartes_core.errors import InvalidParams, NotFound
from descartes_core.scud.rows import Line, clean, fields_of, is_separator, lines_of, section_of, spans_of, tag_of
from descartes_core.scud.task import LETTERS, id_order

#: Before these SCUD writes its assignments.
_HEADING = "id | assigned_to | locked_by | locked_at"
_AFTER_ASSIGNMENTS = ("agents", "details")


def set_status(text: str, tag: str, task_id: str, status: str) -> str:
    """Return the text with the status of one task changed: one letter.

    Raises:
        InvalidParams: there is no such status.
        NotFound: there is no such phase, or no such task in it.

    """
    if status not in LETTERS:
        raise InvalidParams(f"there is no status {status}: {', '.join(LETTERS)}")
    _, row = _find(text, tag, task_id)
    start, end = spans_of(row.text)[2]
    return _put(text, row.start + start, row.start + end, LETTERS[status])


def claim(text: str, tag: str, task_id: str, agent: str, at: str) -> str:
    """Return the text with a task assigned to an agent and locked by it: one row of @assignments.

    A graph of newer versions of SCUD, whose rows have no locks, gets none.

    Raises:
        InvalidParams: a row cannot hold this agent's name.
        NotFound: there is no such phase, or no such task in it.

    """
    if any(letter in agent for letter in "|\n\r\\") or agent != agent.strip() or not agent:
        raise InvalidParams(f"{agent!r} cannot stand in a row of SCUD's assignments")
    phase, node = _find(text, tag, task_id)
    written = fields_of(node.text)[0]
    rows = phase.sections.get("assignments", [])
    found = [row for row in rows if phase.is_same(fields_of(row.text)[0], written) and not row.text.startswith("#")]
    if found:
        return _claim_again(text, found[-1], agent, at)
    row = f"{written} | {agent}" if _is_without_locks(rows) else f"{written} | {agent} | {agent} | {at}"
    return _insert(text, phase, written, row)


@dataclass(slots=True)
class _Phase:
    tag: str
    #: Of each section its lines, the first with its name; blank ones are left out.
    sections: dict[str, list[Line]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def is_same(self, one: str, other: str) -> bool:
        """Say whether two ids mean the same task: with or without the tag."""
        return one.removeprefix(f"{self.tag}:") == other.removeprefix(f"{self.tag}:")


def _find(text: str, tag: str, task_id: str) -> tuple[_Phase, Line]:
    """Return the row of a task, and its phase; of two the last, as SCUD knows no other."""
    phases = [phase for phase in _phases(clean(text)) if phase.names.get("meta", phase.tag) == tag]
    for phase in reversed(phases):
        phase.tag = tag
        if (row := _node(phase, task_id)) is not None:
            return phase, row
    raise NotFound(f"there is no task {task_id} in phase {tag}" if phases else f"there is no phase {tag}")


def _phases(text: str) -> list[_Phase]:
    phases, section, is_detail = [_Phase("")], "", False
    for line in lines_of(text):
        if is_separator(line.text):
            phases.append(_Phase(""))
            section, is_detail = "", False
        elif is_detail and line.text.startswith("  "):
            phases[-1].sections["details"].append(line)
        elif (begins := section_of(line.text)) is not None:
            section, is_detail = begins, begins == "details"
            phases[-1].sections.setdefault(section, []).append(line)
        elif not section:
            phases[-1].tag = phases[-1].tag or tag_of(line.text) or ""
        elif line.text.strip():
            phases[-1].sections[section].append(line)
            if section == "meta" and line.text.strip().startswith("name "):
                phases[-1].names["meta"] = line.text.strip().removeprefix("name ").strip()
    return phases


def _node(phase: _Phase, task_id: str) -> Line | None:
    rows = [line for line in phase.sections.get("nodes", [])[1:] if not line.text.lstrip().startswith("#")]
    named = [(fields[0], row) for row in rows if len(fields := fields_of(row.text)) >= 5]
    # The id as it stands there before one that only means the same; the last of two counts.
    checks: list[Callable[[str], bool]] = [lambda name: name == task_id, lambda name: phase.is_same(name, task_id)]
    for is_meant in checks:
        found = [row for name, row in named if is_meant(name)]
        if found:
            return found[-1]
    return None


def _is_without_locks(rows: list[Line]) -> bool:
    texts = [row.text.lstrip("# ") for row in rows[1:]]
    return bool(texts) and all(len(fields_of(text)) == 2 for text in texts)


def _claim_again(text: str, row: Line, agent: str, at: str) -> str:
    spans = spans_of(row.text)
    new = [agent, agent, at][: max(1, len(spans) - 1)]
    start = row.start + spans[1][0] if len(spans) > 1 else row.start + len(row.text.rstrip())
    end = row.start + spans[min(len(spans), 4) - 1][1]
    return _put(text, start, max(start, end), " | ".join(new))


def _insert(text: str, phase: _Phase, written: str, row: str) -> str:
    end = phase.sections["nodes"][0].end or "\n"
    rows = phase.sections.get("assignments")
    if rows:
        smaller = [one for one in rows if _is_before(one, written)]
        return _behind(text, (smaller or rows[:1])[-1], row, end)
    section = end.join(["@assignments", f"# {_HEADING}", row, ""])
    following = [lines[0] for name, lines in phase.sections.items() if name in _AFTER_ASSIGNMENTS]
    if following:
        at = min(line.start for line in following)
        return _put(text, at, at, section + end)
    last = max((lines[-1] for lines in phase.sections.values()), key=lambda line: line.start)
    return _behind(text, last, end + section.removesuffix(end), end)


def _is_before(line: Line, written: str) -> bool:
    """Say whether a line of @assignments stands before the row of this task: its headings do."""
    if line.text.startswith(("@", "#")):
        return True
    return id_order(fields_of(line.text)[0]) < id_order(written)


def _behind(text: str, line: Line, row: str, end: str) -> str:
    at = line.start + len(line.text) + len(line.end)
    return _put(text, at, at, row + end if line.end else end + row)


def _put(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]
