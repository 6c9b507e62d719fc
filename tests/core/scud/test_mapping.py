from __future__ import annotations

import pytest

from descartes_core.scud import mapping
from descartes_core.scud.task import LETTERS


@pytest.mark.parametrize("status", mapping.OWN_STATUSES)
def test_own_words_come_back(status: str) -> None:
    assert mapping.own_status(mapping.scud_status(status)) == status


def test_every_word_of_scud_has_an_own_one() -> None:
    assert {mapping.own_status(status) for status in LETTERS} == set(mapping.OWN_STATUSES)
    assert {status: mapping.scud_status(status) for status in LETTERS} == {status: status for status in LETTERS}
    assert mapping.scud_status("in_progress") == "in-progress"
    assert mapping.scud_status("nearly") == "nearly"


@pytest.mark.parametrize(
    ("points", "word"),
    [(0, "trivial"), (1, "trivial"), (2, "simple"), (3, "simple"), (5, "moderate"), (8, "moderate")],
)
def test_points_are_words(points: int, word: str) -> None:
    assert mapping.own_complexity(points) == word


@pytest.mark.parametrize("word", mapping.OWN_COMPLEXITIES)
def test_words_are_points(word: str) -> None:
    assert mapping.own_complexity(mapping.points(word)) == word


def test_more_than_most_is_complex_and_then_epic() -> None:
    assert [mapping.own_complexity(points) for points in (13, 21, 89)] == ["complex", "epic", "epic"]
