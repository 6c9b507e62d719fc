from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.scud import checking, rules
from descartes_core.scud.task import Graph, Phase, Task, id_order


def tree(*tasks: Task) -> Graph:
    """Return the graph of these tasks, a phase a tag."""
    tags = dict.fromkeys(task.tag for task in tasks)
    return Graph(tuple(Phase(tag, tasks=tuple(one for one in tasks if one.tag == tag)) for tag in tags))


def task(name: str, *waits: str, status: str = "pending", parent: str | None = None, tag: str = "a") -> Task:
    """Return a task that waits for others."""
    return Task(name, tag, f"Task {name}", status, dependencies=waits, parent=parent)


def ready(*tasks: Task) -> list[str]:
    """Return the ids of what is ready of these."""
    return [one.id for one in rules.ready(tree(*tasks))]


def waves(*tasks: Task, tag: str | None = None) -> list[list[str]]:
    """Return the ids of each wave, and last those that are stuck."""
    found = rules.waves(tree(*tasks), tag)
    return [[one.id for one in wave] for wave in [*found.waves, found.stuck]]


def test_ready_is_what_is_pending_and_waits_for_nothing() -> None:
    assert ready(task("1", status="done"), task("2", "1"), task("3", "2"), task("4", status="blocked")) == ["2"]


def test_ids_are_in_natural_order() -> None:
    assert ready(task("10"), task("2"), task("1.10"), task("1.2"), task("1")) == ["1", "1.2", "1.10", "2", "10"]


def test_a_part_waits_for_what_the_whole_waits_for() -> None:
    whole, part = task("2", "1", status="expanded"), task("2.1", parent="2")
    assert ready(task("1"), whole, part) == ["1"]
    assert ready(task("1", status="done"), whole, part) == ["2.1"]


def test_a_container_is_not_done_itself_whatever_its_status() -> None:
    assert ready(task("1"), task("1.1", parent="1"), task("2", "1")) == ["1.1"]


def test_a_container_is_done_with_its_last_part() -> None:
    whole, last = task("1", status="expanded"), task("3", "1")
    parts = [task("1.1", parent="1", status="done"), task("1.2", parent="1", status="cancelled")]
    assert ready(whole, *parts, last) == ["3"]
    assert ready(whole, parts[0], task("1.2", parent="1", status="review"), last) == []


def test_an_expanded_task_without_parts_is_neither_ready_nor_done() -> None:
    assert ready(task("1", status="expanded"), task("2", "1")) == []
    assert waves(task("1", status="expanded"), task("2", "1")) == [["2"]]


def test_what_is_missing_or_cancelled_is_waited_for_for_ever() -> None:
    tasks = task("1", "9"), task("2", status="cancelled"), task("3", "2"), task("4", "3")
    assert ready(*tasks) == []
    assert waves(*tasks) == [["1", "3", "4"]]
    assert rules.waiting_for(tree(*tasks), tasks[0]) == ["9"]


def test_tasks_of_another_phase_are_named_with_its_tag() -> None:
    tasks = task("1", "b:1"), task("1", status="done", tag="b"), task("b:2", "1", "b:1", tag="b"), task("2", "b:2")
    assert ready(*tasks) == ["1", "b:2"]
    assert waves(*tasks) == [["1", "b:2"], ["2"], []]


def test_waves_of_one_phase_wait_for_no_other() -> None:
    assert waves(task("1", "b:1"), task("2", "1"), task("1", tag="b"), tag="a") == [["1"], ["2"], []]


def test_a_wave_behind_a_container_waits_for_its_parts() -> None:
    tasks = task("1", status="expanded"), task("1.1", parent="1"), task("1.2", "1.1", parent="1"), task("2", "1")
    assert waves(*tasks) == [["1.1"], ["1.2"], ["2"], []]


def test_a_part_that_names_its_whole_does_not_wait_for_itself() -> None:
    assert waves(task("1", status="expanded"), task("1.1", "1", parent="1")) == [["1.1"], []]


def test_a_ring_is_stuck_and_the_rest_goes_on() -> None:
    assert waves(task("1", "2"), task("2", "1"), task("3"), task("4", "4")) == [["3"], ["1", "2", "4"]]


def test_who_is_part_of_itself_ends_no_walk_in_a_ring() -> None:
    assert ready(task("1", parent="2"), task("2", parent="1")) == []


def test_next_is_the_first_that_nobody_has_claimed() -> None:
    claimed = Task("1", "a", "one", locked_by="somebody")
    assert rules.next_task(tree(claimed, task("2"))) == task("2")
    assert rules.next_task(tree(claimed)) is None


def test_a_phase_counts_containers_by_their_parts() -> None:
    whole = task("1", status="expanded")
    found = rules.phases(tree(whole, task("1.1", parent="1", status="done"), task("1.2", parent="1")))
    assert [(one.tag, one.nodes, one.ready, one.to_do, one.done) for one in found] == [("a", 3, 1, 2, 1)]


trees = st.lists(
    st.tuples(st.integers(0, 30), st.lists(st.integers(0, 30), max_size=3), st.sampled_from(["pending", "done"])),
    unique_by=lambda one: one[0],
    max_size=20,
)


@given(trees)
def test_whoever_is_ready_is_in_the_first_wave_and_nobody_is_lost(found: list[tuple[int, list[int], str]]) -> None:
    made = tree(*(task(str(name), *map(str, waits), status=status) for name, waits, status in found))
    told = rules.waves(made)
    first = told.waves[0] if told.waves else ()
    assert list(first) == rules.ready(made)
    left = [one.task_id for wave in [*told.waves, told.stuck] for one in wave]
    assert sorted(left) == sorted(one.task_id for one in made.tasks if one.status != "done")


@pytest.mark.timeout(60)
def test_thousands_may_wait_for_a_container_of_thousands() -> None:
    parts = [task(f"1.{number}", parent="1") for number in range(4000)]
    others = [task(str(number + 2), "1") for number in range(4000)]
    told = waves(task("1", status="expanded"), *parts, *others)
    assert [len(wave) for wave in told] == [4000, 4000, 0]


@pytest.mark.timeout(60)
def test_rings_of_thousands_are_told_in_short() -> None:
    made = tree(*(task(str(number), str(number + 1), "0") for number in range(4000)))
    told = [fault.text for fault in checking.faults(made) if "wait for each other" in fault.text]
    assert len(told) == 100
    assert max(map(len, told)) < 500
    assert any(" more) -> " in text for text in told)


def test_ids_of_any_length_and_kind_have_an_order() -> None:
    assert sorted(["9" * 5000, "x", "1.10", "1", "1.2", "a:2", "a:10"], key=id_order) == [
        *["1", "1.2", "1.10", "9" * 5000, "a:2", "a:10", "x"]
    ]
