"""What may be done next, by SCUD's rules.

Ready is what is pending and waits for nothing: each dependency is done, its own and those of all it is part of. A task
that has parts, or is expanded, is a container: never ready itself, and done when none of its parts is left to do. (SCUD
waits until somebody marks the container done; whoever depends on it would wait for ever.) A dependency that is missing
or cancelled, or expanded into nothing, is never done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass

from descartes_core.scud.task import Graph, Task
from descartes_core.scud.tree import ENDED, Tree, in_order


@dataclass(frozen=True, slots=True)
class Waves:
    """Tasks in the order in which they can be done."""

    #: Those of a wave wait only for those of earlier ones.
    waves: tuple[tuple[Task, ...], ...]
    #: Those that wait for ever: in a ring, or for something missing or cancelled.
    stuck: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """How much there is of what."""

    nodes: int
    edges: int
    parents: int
    details: int
    by_status: dict[str, int]
    by_phase: dict[str, int]


@dataclass(frozen=True, slots=True)
class PhaseStats:
    """How far one phase is."""

    tag: str
    nodes: int
    ready: int
    #: Of what is to be done: containers count by their parts.
    to_do: int
    done: int
    complexity: int
    by_status: dict[str, int]


def ready(graph: Graph, tag: str | None = None) -> list[Task]:
    """Return what may be done now, of one phase or of all, in natural order."""
    tree = Tree(graph)
    return [task for task in _of(tree, tag) if is_ready(tree, task)]


def next_task(graph: Graph, tag: str | None = None) -> Task | None:
    """Return the first that is ready and that nobody has claimed."""
    return next((task for task in ready(graph, tag) if not task.locked_by), None)


def waiting_for(graph: Graph, task: Task) -> list[str]:
    """Return the ids of what a task waits for: dependencies that are not done, or missing."""
    tree = Tree(graph)
    return [key for key, found in tree.dependencies(task) if found is None or not tree.is_done(found)]


def waves(graph: Graph, tag: str | None = None) -> Waves:
    """Return all that is left to do as waves; what another phase does is waited for only where all are asked."""
    tree = Tree(graph)
    left = {task.task_id: task for task in _of(tree, tag) if task.status not in ENDED and not _is_container(tree, task)}
    # Whom others wait for and who has parts is one more that ends: many may wait for it, and it may have many parts.
    containers: dict[str, set[str]] = {}
    waits = {key: _waits(tree, task, left, containers) for key, task in left.items()} | containers
    dependents: dict[str, list[str]] = {}
    for key, others in waits.items():
        for other in others:
            dependents.setdefault(other, []).append(key)
    found: list[tuple[Task, ...]] = []
    wave = [key for key in left if not waits[key]]
    while wave:
        found.append(tuple(left.pop(key) for key in wave))
        ended, freed = wave, list[str]()
        for key in ended:
            for dependent in dependents.get(key, ()):
                waits[dependent].discard(key)
                if not waits[dependent]:
                    (ended if dependent in containers else freed).append(dependent)
        wave = freed
    return Waves(tuple(tuple(in_order(one)) for one in found), tuple(left.values()))


def stats(graph: Graph) -> Stats:
    """Count what the graph has."""
    tasks = graph.tasks
    return Stats(
        nodes=len(tasks),
        edges=sum(len(task.dependencies) for task in tasks),
        parents=sum(bool(task.children) for task in tasks),
        details=sum(bool(t.description) + (t.details is not None) + (t.test_strategy is not None) for t in tasks),
        by_status=dict(Counter(task.status for task in tasks)),
        by_phase={phase.tag: len(phase.tasks) for phase in graph.phases},
    )


def phases(graph: Graph) -> list[PhaseStats]:
    """Return how far each phase is."""
    tree = Tree(graph)
    return [_phase_stats(tree, phase.tag, phase.tasks) for phase in graph.phases]


def _phase_stats(tree: Tree, tag: str, tasks: tuple[Task, ...]) -> PhaseStats:
    to_do = [task for task in tasks if not _is_container(tree, task) and task.status != "cancelled"]
    return PhaseStats(
        tag=tag,
        nodes=len(tasks),
        ready=sum(is_ready(tree, task) for task in tasks),
        to_do=len(to_do),
        done=sum(task.status == "done" for task in to_do),
        complexity=sum(task.complexity for task in to_do),
        by_status=dict(Counter(task.status for task in tasks)),
    )


def _of(tree: Tree, tag: str | None) -> list[Task]:
    return in_order(task for task in tree.tasks.values() if tag is None or task.tag == tag)


def _is_container(tree: Tree, task: Task) -> bool:
    return task.is_container or bool(tree.children(task))


def is_ready(tree: Tree, task: Task) -> bool:
    """Say whether it may be done now."""
    if task.status != "pending" or _is_container(tree, task):
        return False
    return all(found is not None and tree.is_done(found) for _, found in tree.dependencies(task))


def _waits(tree: Tree, task: Task, left: Container[str], containers: dict[str, set[str]]) -> set[str]:
    """Return what has to be done before; a name that nobody has is what never will be.

    Args:
        tree: where all are.
        task: who waits.
        left: all that is left to do.
        containers: of each that somebody waits for its parts that are left; here more are added.

    """
    whole = {one.task_id for one in tree.line(task)}
    found: set[str] = set()
    for key, dependency in tree.dependencies(task):
        if dependency is None or dependency.status == "cancelled" or _is_empty(tree, dependency):
            found.add(f"{key} never")
        elif key in left:
            found.add(key)
        elif key not in whole:  # who waits for what it is part of would wait for itself
            _fill(containers, tree, dependency, left)
            if containers[key]:
                found.add(key)
    return found


def _fill(containers: dict[str, set[str]], tree: Tree, task: Task, left: Container[str]) -> None:
    """Add a container, and those that are its parts, each with those of its own parts that are left."""
    waiting = [(task, False)]
    while waiting:
        here, has_parts = waiting.pop()
        parts = tree.children(here) if here.status not in ENDED else []
        if has_parts:
            ids = [part.task_id for part in parts]
            containers[here.task_id] = {one for one in ids if one in left or containers.get(one)}
        elif here.task_id not in containers:
            containers[here.task_id] = set()
            waiting += [(here, True), *((part, False) for part in parts if part.task_id not in left)]


def _is_empty(tree: Tree, task: Task) -> bool:
    return task.status == "expanded" and not tree.children(task)
