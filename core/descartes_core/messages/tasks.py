"""Messages about the tasks of a workspace: SCUD's, or this session's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from descartes_core.messages.common import Change, Model

#: SCUD's tree in the workspace, or the tasks that this session keeps itself.
Source = Literal["scud", "own"]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=200)]
#: An id, or `phase:id` where several phases have such an id.
TaskName = Annotated[str, StringConstraints(min_length=1, max_length=300)]
#: SCUD's words; of own tasks also todo and in_progress.
Status = Literal[
    "pending",
    "in-progress",
    "done",
    "review",
    "blocked",
    "deferred",
    "cancelled",
    "expanded",
    "failed",
    "todo",
    "in_progress",
]
Priority = Literal["critical", "high", "medium", "low"]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=5000)]
#: A number of SCUD's, or one of the words for own tasks.
Complexity = Annotated[int, Field(ge=0, le=1000)] | Literal["trivial", "simple", "moderate", "complex", "epic"]


class OfTree(Model):
    """Which tasks are meant."""

    #: Default: SCUD's where the workspace has any, else the session's own.
    source: Source | None = None


class ListTasks(OfTree):
    """List tasks, in the order of their file, with what stands in the way of each."""

    #: Only of this phase.
    phase: Tag | None = None
    #: Only in one of these states.
    status: list[Status] = []
    #: Only those that may be begun now.
    ready: bool = False
    limit: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    #: Pass over so many.
    offset: Annotated[int, Field(ge=0)] = 0


class TaskInfo(Model):
    """A task, as every list shows it."""

    #: `phase:id`, which is unique; and its parts.
    task_id: str
    phase: str
    id: str
    title: str
    status: str
    priority: str
    complexity: int
    #: As they are written: ids of this phase, or `phase:id`.
    dependencies: list[str]
    parent: str | None
    assigned_to: str | None
    #: Whether it may be begun now: pending, no container, and all that it needs is done.
    is_ready: bool


class TaskDetail(TaskInfo):
    """A task with everything that is known of it."""

    children: list[str]
    #: What it waits for (`phase:id`): its dependencies, and those of its parents, that are not done or not there.
    waits_for: list[str]
    description: str
    details: str
    test_strategy: str
    locked_by: str | None
    locked_at: str | None
    agent_type: str | None
    model_tier: str | None
    #: The agents that were started for it.
    agents: list[str]


class TaskList(Model):
    """Tasks."""

    source: Source
    tasks: list[TaskInfo]
    #: How many there are that fit, on this page and beyond.
    total: int
    #: The phase that SCUD has as the active one.
    active_phase: str | None
    #: What is wrong with the tree: cycles, dependencies that are not there, lines that nobody understands.
    faults: list[str]
    #: What a person should know, e.g. that the file has vanished and these are the tasks as they were last seen.
    notice: str | None


class OneTask(OfTree):
    """Tell everything that is known of one task."""

    task_id: TaskName


class TaskReply(Model):
    """One task."""

    task: TaskDetail


class NextTask(OfTree):
    """Tell which task to begin next: the first ready one, of the active phase where there is one."""

    phase: Tag | None = None


class NextReply(Model):
    """The next task; null where none is ready."""

    task: TaskDetail | None
    #: How many are ready.
    ready: int
    #: Where it was looked for; null: in all phases.
    phase: str | None


class Waves(OfTree):
    """Tell in which order the open tasks can be done: all of one wave at the same time."""

    #: Default: each phase.
    phase: Tag | None = None


class PhaseWaves(Model):
    """The waves of one phase."""

    phase: str
    #: Ids, first wave first.
    waves: list[list[str]]
    #: Open tasks that are in no wave: they wait for one another, or for what is not there.
    stuck: list[str]


class WavesReply(Model):
    """The waves of each phase."""

    phases: list[PhaseWaves]


class TaskStats(Model):
    """What a tree has, counted."""

    nodes: int
    edges: int
    #: Tasks that have children, and texts (rows of `@parents` and heads of `@details`).
    parents: int
    details: int
    by_status: dict[str, int]
    by_phase: dict[str, int]


class Phase(Model):
    """A phase."""

    tag: str
    name: str
    updated: str | None
    tasks: int
    by_status: dict[str, int]
    ready: int
    is_active: bool


class PhaseList(Model):
    """All phases, in the order of their file."""

    source: Source
    phases: list[Phase]


class UsePhase(Change):
    """Make a phase the active one, as SCUD's `use-tag` does (`.scud/active-tag`)."""

    phase: Tag


class SetTaskStatus(Change):
    """Set a task's status; in SCUD's file only the bytes of that row change, under SCUD's own lock."""

    task_id: TaskName
    status: Status
    #: Refused (`conflict`) where it has another status than this by now.
    was: Status | None = None
    source: Source | None = None


class ClaimTask(Change):
    """Write down who works on a task, as SCUD's `claim` does."""

    task_id: TaskName
    #: An agent's name, or anybody's.
    agent: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    source: Source | None = None


class AddTask(Change):
    """Add a task of the session's own."""

    title: Title
    description: Text = ""
    #: Default: the next number.
    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,100}$")] | None = None
    priority: Priority = "medium"
    complexity: Complexity = "moderate"
    #: Own tasks that must be done before.
    dependencies: Annotated[list[TaskName], Field(max_length=1000)] = []


class UpdateTask(Change):
    """Change a task of the session's own; what is left out stays."""

    task_id: TaskName
    title: Title | None = None
    description: Text | None = None
    status: Status | None = None
    priority: Priority | None = None
    complexity: Complexity | None = None
    dependencies: Annotated[list[TaskName], Field(max_length=1000)] | None = None
