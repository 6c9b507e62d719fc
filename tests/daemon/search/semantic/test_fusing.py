"""Two orders become one, and what is recent comes a little earlier."""

from __future__ import annotations

import pytest

from descartes_daemon.search.semantic.fusing import fused

DAY = 86_400.0


def test_what_is_first_in_both_is_first() -> None:
    assert next(iter(fused([[1, 2, 3], [1, 3, 2]], dict.fromkeys(range(4), 0.0), 0.0))) == 1
    assert fused([[1], [1]], {1: 0.0}, 0.0) == {1: pytest.approx(1.0)}


def test_what_is_in_one_only_is_there_too() -> None:
    assert set(fused([[1, 2], [3]], dict.fromkeys(range(4), 0.0), 0.0)) == {1, 2, 3}
    assert fused([[], []], {}, 0.0) == {}


def test_of_two_alike_the_newer_comes_first() -> None:
    assert list(fused([[1, 2], [2, 1]], {1: 100 * DAY, 2: 0.0}, 100 * DAY)) == [1, 2]
    assert list(fused([[1, 2], [2, 1]], {1: 0.0, 2: 100 * DAY}, 100 * DAY)) == [2, 1]


def test_what_fits_far_better_comes_first_however_old_it_is() -> None:
    order = list(range(100))
    times = {one: 0.0 if one == 0 else 1000 * DAY for one in order}
    assert list(fused([order, order], times, 1000 * DAY)).index(0) < 20


def test_a_clock_that_went_back_harms_nothing() -> None:
    assert fused([[1]], {1: 5.0}, 0.0) == {1: pytest.approx(1.0)}
