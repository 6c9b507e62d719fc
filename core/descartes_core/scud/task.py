"""What SCUD keeps of tasks, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: The letter of each status in the graph; `failed` came later than the others.
LETTERS: Mapping[str, str] = MappingProxyType(
    {
        "pending": "P",
        "in-progress": "I",
        "done": "D",
        "review": "R",
        "blocked": "B",
        "deferred": "F",
        "cancelled": "C",
        "expanded": "X",
        "failed": "!",
    }
)
PRIORITY_LETTERS: Mapping[str, str] = MappingProxyType({"critical": "C", "high": "H", "medium": "M", "low": "L"})
_RUNS = re.compile(r"[0-9]+|[^0-9]+")


@dataclass(frozen=True, slots=True)
class Task:
    """One task, as its phase has it."""

    #: As it stands in the file: `3.1`, or `auth:3.1`.
    id: str
    #: Of its phase.
    tag: str
    title: str
    #: A word of LETTERS.
    status: str = "pending"
    complexity: int = 0
    #: A word of PRIORITY_LETTERS.
    priority: str = "medium"
    #: As they stand in the file: of the same phase, or `tag:id`.
    dependencies: tuple[str, ...] = ()
    #: Ids of the same phase.
    parent: str | None = None
    children: tuple[str, ...] = ()
    description: str = ""
    details: str | None = None
    test_strategy: str | None = None
    assigned_to: str | None = None
    locked_by: str | None = None
    locked_at: str | None = None
    agent_type: str | None = None
    model_tier: str | None = None
    #: What stands behind the priority: `role=writer scope=src`.
    annotation: str = ""

    @property
    def task_id(self) -> str:
        """The id that is its own over all phases: `tag:id`."""
        return self.id if self.id.startswith(f"{self.tag}:") else f"{self.tag}:{self.id}"

    @property
    def is_container(self) -> bool:
        """Whether its children are what is to be done, and not itself."""
        return self.status == "expanded" or bool(self.children)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a file says and that cannot be."""

    #: Counted from 1; 0: of no line alone.
    line: int
    phase: str
    text: str


@dataclass(frozen=True, slots=True)
class Phase:
    """One tag with its tasks, in the order of the file."""

    tag: str
    #: What the header calls it, where that is not its tag.
    name: str = ""
    updated: str = ""
    id_format: str = ""
    tasks: tuple[Task, ...] = ()
    #: Lines that are not understood, with the section they stand in.
    kept: tuple[tuple[str, str], ...] = ()
    #: The text this was read from: what nobody changed is written as it was.
    source: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Graph:
    """All phases of a workspace, in the order of the file, and what is wrong with them."""

    phases: tuple[Phase, ...] = ()
    faults: tuple[Fault, ...] = field(default=(), compare=False)
    #: What stands before the first phase, or instead of one.
    preface: str = ""

    @property
    def tasks(self) -> list[Task]:
        """All tasks, phase by phase."""
        return [task for phase in self.phases for task in phase.tasks]


def id_order(task_id: str) -> tuple[tuple[int, int, str], ...]:
    """Return what ids are sorted by: 1 < 2 < 10, and 1.2 < 1.10."""
    runs = _RUNS.findall(task_id)
    # By length and text, as int() refuses thousands of digits.
    return tuple((0, len(run.lstrip("0")), run.lstrip("0")) if run[0] in "0123456789" else (1, 0, run) for run in runs)
