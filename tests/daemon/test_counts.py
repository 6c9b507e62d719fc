"""What is counted is counted right."""

from __future__ import annotations

import pytest

from descartes_daemon.counts import BOUNDS, Counts, Durations


def test_a_duration_falls_into_every_bucket_that_holds_it() -> None:
    durations = Durations()
    for seconds in (0.0, 0.001, 0.0011, 7.0, 1000.0):
        durations.add(seconds)
    found = dict(durations.buckets())
    assert list(found) == [*map(str, BOUNDS), "+Inf"]
    assert (found["0.0005"], found["0.001"], found["0.0025"], found["10.0"], found["+Inf"]) == (1, 2, 3, 4, 5)
    assert durations.count == 5
    assert durations.sum == pytest.approx(1007.0021)


def test_calls_are_counted_by_method_and_failures_by_code() -> None:
    counts = Counts()
    counts.called("agent.spawn", 0.01, None)
    counts.called("agent.spawn", 0.02, "spawn_failed")
    counts.called("agent.list", 0.03, None)
    assert {method: durations.count for method, durations in counts.requests.items()} == {
        "agent.spawn": 2,
        "agent.list": 1,
    }
    assert counts.failures == {("agent.spawn", "spawn_failed"): 1}
    assert counts.spawns.count == 1
    counts.missed()
    assert counts.gaps == 1
