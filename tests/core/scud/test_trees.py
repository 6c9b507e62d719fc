"""The trees of real people are read as SCUD wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_core.scud import checking, graph, json_tree, rules
from descartes_core.scud.canonical import write_phase
from tests.support.scud_trees import COUNTS, PHASES, real_trees, text_of


@pytest.mark.parametrize("tree", COUNTS)
def test_each_tree_has_what_scud_counts(tree: str) -> None:
    assert_counts(tree, text_of(tree))


@pytest.mark.parametrize("path", real_trees(), ids=str)
def test_each_tree_of_the_real_ones_has_what_scud_counts(path: Path) -> None:
    assert_counts(path.parents[2].name, path.read_text())


def assert_counts(tree: str, text: str) -> None:
    """Hold what stands in the text against what a parser must find in it."""
    read = graph.parse(text)
    found = rules.stats(read)
    assert (found.nodes, found.edges, found.parents, found.details, found.by_status) == COUNTS[tree]
    assert tree != "descartes" or found.by_phase == PHASES
    assert checking.faults(read) == []
    assert graph.write(read) == text


@pytest.mark.parametrize("tree", COUNTS)
def test_a_phase_of_scud_is_written_as_scud_wrote_it(tree: str) -> None:
    text = text_of(tree)
    assert "\n---\n\n".join(write_phase(phase) for phase in graph.parse(text).phases) == text


def test_the_mirror_says_what_it_has() -> None:
    read = json_tree.parse(text_of("descartes", "tasks.json"))
    assert {phase.tag for phase in read.phases} <= set(PHASES)
    assert read.faults == ()
    first = read.phases[0].tasks[0]
    assert (first.id, first.status, first.children, first.complexity) == (
        "1",
        "expanded",
        ("1.1", "1.2", "1.3", "1.4"),
        5,
    )
    assert {task.parent for task in read.tasks if task.id == "1.1"} == {"1"}


def test_a_tree_by_hand_has_numbers_for_ids() -> None:
    read = json_tree.parse(text_of("descartes", "flow-system.json"))
    assert [phase.tag for phase in read.phases] == ["flow-system"]
    assert (len(read.tasks), read.tasks[1].id, read.tasks[1].dependencies) == (20, "2", ("1",))
    assert [task.id for task in rules.ready(read)] == ["1"]
    assert checking.faults(read) == []
