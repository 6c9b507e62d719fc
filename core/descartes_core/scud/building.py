"""A phase while its lines are read: rows come in any order, and may name what comes later or never."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from descartes_core.scud.rows import Line
from descartes_core.scud.task import Fault, Phase, Task

_META = ("name", "updated", "id_format")


@dataclass(slots=True)
class Building:
    """What is known of a phase so far."""

    source: str
    tag: str = ""
    _meta: dict[str, str] = field(default_factory=dict)
    #: Of each task: its fields.
    _nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: What waits for the last row, as it may name tasks of later rows.
    _edges: list[tuple[Line, str, str]] = field(default_factory=list)
    _parents: list[tuple[Line, str, list[str]]] = field(default_factory=list)
    _sets: list[tuple[Line, str, dict[str, str | None]]] = field(default_factory=list)
    _details: list[tuple[Line, str, str, list[str]]] = field(default_factory=list)
    _kept: list[tuple[str, str]] = field(default_factory=list)
    _faults: list[tuple[int, str]] = field(default_factory=list)

    def keep(self, section: str, text: str) -> None:
        """Keep a line that is not understood."""
        self._kept.append((section, _clean(text)))

    def wrong(self, line: Line, text: str) -> None:
        """Tell what cannot be."""
        self._faults.append((line.number, text))

    def set_meta(self, key: str, value: str, line: Line) -> bool:
        """Take what stands in @meta; say whether it is known."""
        if key not in _META:
            return False
        if key in self._meta:
            self.wrong(line, f"{key} stands twice in @meta: the last counts")
        self._meta[key] = value
        return True

    def add(self, line: Line, task_id: str, **fields: Any) -> None:
        """Take a row of @nodes."""
        if task_id in self._nodes:
            self.wrong(line, f"task {task_id} stands twice: the last counts, as SCUD has it")
        self._nodes[task_id] = fields

    def depend(self, line: Line, dependent: str, dependency: str) -> bool:
        """Take a row of @edges."""
        self._edges.append((line, dependent, dependency))
        return True

    def own(self, line: Line, parent: str, children: list[str]) -> bool:
        """Take a row of @parents."""
        self._parents.append((line, parent, children))
        return True

    def set(self, line: Line, task_id: str, **fields: str | None) -> bool:
        """Take a row of @assignments or @agents."""
        self._sets.append((line, task_id, fields))
        return True

    def begin_detail(self, line: Line, task_id: str, name: str) -> list[str]:
        """Take the first row of a detail; the lines of the returned list become its text."""
        lines: list[str] = []
        self._details.append((line, task_id, name, lines))
        return lines

    def finish(self) -> tuple[Phase, list[Fault]]:
        """Put all together."""
        header, self.tag = self.tag, self._meta.get("name") or self.tag
        self._connect()
        tasks = tuple(
            Task(id=_clean(task_id), tag=_clean(self.tag), **{key: _clean(value) for key, value in fields.items()})
            for task_id, fields in self._nodes.items()
        )
        phase = Phase(
            tag=_clean(self.tag),
            name=_clean(header) if header != self.tag else "",
            updated=_clean(self._meta.get("updated", "")),
            id_format=_clean(self._meta.get("id_format", "")),
            tasks=tasks,
            kept=tuple(self._kept),
            source=self.source,
        )
        return phase, [Fault(number, phase.tag, _clean(text)) for number, text in sorted(self._faults)]

    def _connect(self) -> None:
        for line, dependent, dependency in self._edges:
            if (found := self._find(line, dependent, "edges", line.text)) is not None:
                self._nodes[found]["dependencies"] = (*self._nodes[found].get("dependencies", ()), dependency)
        for line, parent, children in self._parents:
            if (found := self._find(line, parent, "parents", line.text)) is not None:
                self._own(line, found, children)
        for line, task_id, fields in self._sets:
            section = "agents" if "agent_type" in fields else "assignments"
            if (found := self._find(line, task_id, section, line.text)) is not None:
                self._nodes[found].update(fields)
        for line, task_id, name, lines in self._details:
            if (found := self._find(line, task_id, "details", line.text, *[f"  {text}" for text in lines])) is not None:
                self._nodes[found][name] = "\n".join(lines)

    def _own(self, line: Line, parent: str, children: list[str]) -> None:
        known = [self._known(child) or child for child in children]
        self._nodes[parent]["children"] = (*self._nodes[parent].get("children", ()), *known)
        for child in known:
            if child not in self._nodes:
                self.wrong(line, f"{child}, a subtask of {parent}, is no task of this phase")
            elif (other := self._nodes[child].setdefault("parent", parent)) != parent:
                self.wrong(line, f"{child} is a subtask of {other} and of {parent}: the last counts")
                self._nodes[child]["parent"] = parent

    def _find(self, line: Line, task_id: str, section: str, *texts: str) -> str | None:
        """Return the task a row is about; a row about none is kept as it is."""
        found = self._known(task_id)
        if found is None:
            self.wrong(line, f"{task_id} is no task of this phase")
            self._kept += [(section, _clean(text)) for text in texts]
        return found

    def _known(self, task_id: str) -> str | None:
        """Return the id as @nodes has it: with its tag, or without."""
        if task_id in self._nodes:
            return task_id
        other = task_id.removeprefix(f"{self.tag}:") if task_id.startswith(f"{self.tag}:") else f"{self.tag}:{task_id}"
        return other if other in self._nodes else None


def _clean(value: Any) -> Any:
    """Return text that every door can carry: bytes that are no UTF-8 come as lone surrogates."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    return tuple(map(_clean, value)) if isinstance(value, tuple) else value
