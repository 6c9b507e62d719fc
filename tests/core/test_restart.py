from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from descartes_core.restart import Again, Deaths, GiveUp, RestartRule

RULE = RestartRule()


def test_one_that_had_been_ready_starts_again_at_once() -> None:
    assert Deaths(RULE).add(now=10.0, ready_for=0.3) == Again(0.0)


def test_early_deaths_wait_twice_as_long_each_time_and_then_it_is_given_up() -> None:
    deaths = Deaths(RULE)
    verdicts = [deaths.add(now=float(now), ready_for=None) for now in range(5)]
    assert verdicts[:4] == [Again(0.1), Again(0.2), Again(0.4), Again(0.8)]
    assert verdicts[4] == GiveUp("the daemon died 5 times in a row soon after its start")


def test_a_stable_life_in_between_forgives() -> None:
    deaths = Deaths(RULE)
    for now in range(4):
        deaths.add(now=float(now), ready_for=0.1)
    assert deaths.add(now=5.0, ready_for=60.0) == Again(0.0)
    assert deaths.add(now=6.0, ready_for=None) == Again(0.1)


def test_too_many_deaths_of_any_kind_within_the_window_are_enough() -> None:
    deaths = Deaths(RestartRule(deaths=3, window=10.0))
    assert deaths.add(now=0.0, ready_for=1.0) == Again(0.0)
    assert deaths.add(now=9.0, ready_for=1.0) == Again(0.0)
    # The first lies outside of the window by now.
    assert deaths.add(now=11.0, ready_for=1.0) == Again(0.0)
    assert deaths.add(now=12.0, ready_for=1.0) == GiveUp("the daemon died 3 times within 10 s")


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40))
def test_no_pause_is_longer_than_the_longest(steps: list[float]) -> None:
    deaths, now = Deaths(RestartRule(early_deaths=1000, deaths=1000)), 0.0
    for step in steps:
        now += step
        verdict = deaths.add(now=now, ready_for=None)
        assert isinstance(verdict, Again)
        assert 0.1 <= verdict.pause <= 30.0
