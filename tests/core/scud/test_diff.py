from __future__ import annotations

from dataclasses import replace

from descartes_core.scud.diff import Change, changes
from descartes_core.scud.task import Graph, Phase, Task

ONE, TWO = Task("1", "a", "One"), Task("2", "a", "Two", dependencies=("1",))


def graph(*tasks: Task) -> Graph:
    return Graph((Phase("a", tasks=tasks),))


def test_nothing_happened() -> None:
    assert changes(graph(ONE, TWO), graph(TWO, ONE)) == []


def test_tasks_come_and_go() -> None:
    done = replace(ONE, status="done")
    assert changes(graph(done), graph(TWO)) == [
        Change("removed", done, "done", None),
        Change("created", TWO, None, "pending"),
    ]


def test_a_status_and_the_rest_are_two_changes() -> None:
    now = replace(TWO, status="in-progress", title="Second", dependencies=())
    assert changes(graph(TWO), graph(now)) == [
        Change("status_changed", now, "pending", "in-progress"),
        Change(
            "changed", now, "in-progress", "in-progress", (("title", "Two", "Second"), ("dependencies", ("1",), ()))
        ),
    ]


def test_a_task_is_the_same_with_its_tag_and_without() -> None:
    assert changes(graph(ONE), graph(replace(ONE, id="a:1"))) == []
