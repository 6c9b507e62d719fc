"""A phase while it is read: rows may name tasks that come later, or never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from descartes_core.scud.rows import SECTIONS
from descartes_core.scud.task import Fault, Phase, Task

_META = ("name", "updated", "id_format")
_ORDER = ("", *SECTIONS)


@dataclass(slots=True)
class Building:
    """What is known of a phase so far; rows are known by their place among its lines."""

    source: str
    lines: Sequence[str]
    tag: str = ""
    _meta: dict[str, str] = field(default_factory=dict)
    #: Of each task: its fields.
    _nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: What waits for the last row, as it may name tasks of later rows.
    _edges: list[tuple[int, str, str]] = field(default_factory=list)
    _parents: list[tuple[int, str, list[str]]] = field(default_factory=list)
    _sets: list[tuple[int, str, dict[str, str | None]]] = field(default_factory=list)
    _details: list[tuple[int, str, str, list[str]]] = field(default_factory=list)
    _kept: list[tuple[str, str]] = field(default_factory=list)
    _faults: list[tuple[int, str]] = field(default_factory=list)

    def keep(self, section: str, text: str) -> None:
        """Keep a line that is not understood."""
        self._kept.append((section, text))

    def wrong(self, row: int, text: str) -> None:
        """Tell what cannot be."""
        self._faults.append((row, text))

    def set_meta(self, row: int, key: str, value: str) -> bool:
        """Take what stands in @meta; say whether it is known."""
        if key not in _META:
            return False
        if key in self._meta:
            self.wrong(row, f"{key} stands twice in @meta: the last counts")
        self._meta[key] = value
        return True

    def add(self, row: int, task_id: str, fields: dict[str, Any]) -> None:
        """Take a row of @nodes."""
        if task_id in self._nodes:
            self.wrong(row, f"task {task_id} stands twice: the last counts, as SCUD has it")
        self._nodes[task_id] = fields

    def depend(self, row: int, dependent: str, dependency: str) -> None:
        """Take a row of @edges."""
        self._edges.append((row, dependent, dependency))

    def own(self, row: int, parent: str, children: list[str]) -> None:
        """Take a row of @parents."""
        self._parents.append((row, parent, children))

    def set(self, row: int, task_id: str, fields: dict[str, str | None]) -> None:
        """Take a row of @assignments or @agents."""
        self._sets.append((row, task_id, fields))

    def begin_detail(self, row: int, task_id: str, name: str) -> list[str]:
        """Take the first row of a detail; the lines of the returned list become its text."""
        lines: list[str] = []
        self._details.append((row, task_id, name, lines))
        return lines

    def finish(self, first: int) -> tuple[Phase, list[Fault]]:
        """Put all together; `first` is the number of the first line."""
        tag = self._meta.get("name") or self.tag
        name, self.tag = self.tag if self.tag != tag else "", tag
        self._connect()
        # By section: so it is the same whatever order the sections stand in.
        kept = sorted(self._kept, key=lambda one: _ORDER.index(one[0]) if one[0] in _ORDER else len(_ORDER))
        phase = Phase(
            tag=tag,
            name=name,
            updated=self._meta.get("updated", ""),
            id_format=self._meta.get("id_format", ""),
            tasks=tuple(_task(task_id, tag, fields) for task_id, fields in self._nodes.items()),
            kept=tuple(kept),
            source=self.source,
        )
        return phase, [Fault(row + first, tag, text) for row, text in sorted(self._faults)]

    def _connect(self) -> None:
        for row, dependent, dependency in self._edges:
            if (found := self._find(row, dependent, "edges")) is not None:
                self._nodes[found].setdefault("dependencies", []).append(dependency)
        for row, parent, children in self._parents:
            if (found := self._find(row, parent, "parents")) is not None:
                self._own(row, found, children)
        for row, task_id, fields in self._sets:
            if (found := self._find(row, task_id, "agents" if "agent_type" in fields else "assignments")) is not None:
                self._nodes[found].update(fields)
        for row, task_id, name, lines in self._details:
            if (found := self._find(row, task_id)) is not None:
                self._nodes[found][name] = "\n".join(lines)
            else:
                self._kept += [("details", text) for text in (f"{task_id} | {name} |", *[f"  {one}" for one in lines])]

    def _own(self, row: int, parent: str, children: list[str]) -> None:
        known = [self._known(child) or child for child in children]
        self._nodes[parent].setdefault("children", []).extend(known)
        for child in known:
            if child not in self._nodes:
                self.wrong(row, f"{child}, a subtask of {parent}, is no task of this phase")
            elif (other := self._nodes[child].setdefault("parent", parent)) != parent:
                self.wrong(row, f"{child} is a subtask of {other} and of {parent}: the last counts")
                self._nodes[child]["parent"] = parent

    def _find(self, row: int, task_id: str, section: str = "") -> str | None:
        """Return the task a row is about; a row of `section` that is about none is kept as it is."""
        found = self._known(task_id)
        if found is None:
            self.wrong(row, f"{task_id} is no task of this phase")
            if section:
                self.keep(section, self.lines[row])
        return found

    def _known(self, task_id: str) -> str | None:
        """Return the id as @nodes has it: with its tag, or without."""
        if task_id in self._nodes:
            return task_id
        tag = f"{self.tag}:"
        other = task_id.removeprefix(tag) if task_id.startswith(tag) else tag + task_id
        return other if other in self._nodes else None


def _task(task_id: str, tag: str, fields: dict[str, Any]) -> Task:
    for name in ("dependencies", "children"):
        if name in fields:
            fields[name] = tuple(fields[name])
    return Task(task_id, tag, **fields)
