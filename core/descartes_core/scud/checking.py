"""What cannot be in a tree of tasks: the rest is served all the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from descartes_core.scud.task import Fault, Graph, Task
from descartes_core.scud.tree import Tree

_ID = re.compile(r"[A-Za-z0-9_:.-]{1,100}")
_LONGEST_TITLE = 200
_LONGEST_DESCRIPTION = 5000
#: Of n tasks each may close a ring with all before it: so many are told, and so much of each.
_MOST_RINGS, _LONGEST_RING = 100, 20
_FIBONACCI = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89)


def faults(graph: Graph) -> list[Fault]:
    """Return what is wrong with a graph: what its text says, and what its tasks are."""
    tree = Tree(graph)
    found = list(graph.faults)
    for task in graph.tasks:
        found += [Fault(0, task.tag, f"{task.task_id}: {text}") for text in _of_task(tree, task)]
    for phase in graph.phases:
        twice = [key for key, count in Counter(task.task_id for task in phase.tasks).items() if count > 1]
        found += [Fault(0, phase.tag, f"{key} is two tasks, one with its tag and one without") for key in twice]
    return found + [Fault(0, ring[0].tag, _told(ring)) for ring in rings(tree)]


def _of_task(tree: Tree, task: Task) -> Iterator[str]:
    if not _ID.fullmatch(task.id):
        yield "SCUD takes no such id: letters, digits, - _ : and . are allowed, 100 at most"
    if not task.title.strip():
        yield "it has no title"
    if len(task.title) > _LONGEST_TITLE:
        yield f"its title has {len(task.title)} characters, SCUD takes {_LONGEST_TITLE}"
    if len(task.description) > _LONGEST_DESCRIPTION:
        yield f"its description has {len(task.description)} characters, SCUD takes {_LONGEST_DESCRIPTION}"
    if task.complexity not in _FIBONACCI:
        yield f"complexity {task.complexity} is no Fibonacci number up to 89"
    for reference in dict.fromkeys(task.dependencies):
        dependency = tree.find(reference, task.tag)
        if dependency is None:
            yield f"it waits for {reference}, which is missing"
        elif dependency.status == "cancelled" and task.status not in ("done", "cancelled"):
            yield f"it waits for {reference}, which is cancelled"


def rings(tree: Tree) -> list[list[Task]]:
    """Return tasks that wait for each other, or are part of each other, one list a ring; not more than _MOST_RINGS."""
    waits = {task.task_id: _named(tree, task, task.dependencies) for task in tree.tasks.values()}
    owned = {task.task_id: _named(tree, task, [task.parent] if task.parent else []) for task in tree.tasks.values()}
    found = islice(chain(_rings(waits), _rings(owned)), _MOST_RINGS)
    return [[tree.tasks[key] for key in ring] for ring in found]


def _named(tree: Tree, task: Task, references: Iterable[str]) -> list[str]:
    return [found.task_id for one in references if (found := tree.find(one, task.tag)) is not None]


def _rings(edges: dict[str, list[str]]) -> Iterator[list[str]]:
    """Yield each ring that a walk from the first task on comes upon; without recursion, as chains may be long."""
    done: set[str] = set()
    for start in edges:
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(edges[start])}
        while path:
            here = next(reversed(path))
            following = next(path[here], None)
            if following is None:
                done.add(here)
                path.popitem()
            elif following in path:
                names = list(path)
                yield names[names.index(following) :]
            elif following not in done:
                path[following] = iter(edges[following])


def _told(ring: list[Task]) -> str:
    names = [task.task_id for task in [*ring, ring[0]]]
    if len(names) > _LONGEST_RING:
        names[_LONGEST_RING // 2 : -_LONGEST_RING // 2] = [f"({len(names) - _LONGEST_RING} more)"]
    return f"these wait for each other: {' -> '.join(names)}"
