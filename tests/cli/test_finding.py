"""One agent is found by what a person calls it."""

from __future__ import annotations

from descartes_cli.finding import _each_once


def test_what_runs_on_a_runner_of_the_same_home_is_there_once() -> None:
    seen = [{"id": "a", "owner": "desk/shop"}, {"id": "a", "owner": None}, {"id": "b", "owner": "lap/mill"}]
    assert _each_once(seen) == seen[1:]
