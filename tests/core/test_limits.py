"""Limits are stored and told as they were asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.limits import Limits, over_memory, over_pids, over_time

G = 1024**3
ANY = st.builds(
    Limits,
    memory=st.none() | st.integers(1 << 20, 1 << 50),
    cpus=st.none() | st.floats(0.01, 1000),
    pids=st.none() | st.integers(1, 1 << 22),
    timeout=st.none() | st.floats(0.01, 1e8),
)


@given(ANY)
def test_limits_are_read_back(limits: Limits) -> None:
    assert Limits.from_json(limits.as_json()) == limits


def test_no_limits_are_none() -> None:
    assert Limits.from_json(None) is None


@pytest.mark.parametrize(
    ("limits", "kernel", "who"),
    [
        (Limits(timeout=5.0), (), None),
        (Limits(memory=G), ("memory", "pids"), "cgroup"),
        (Limits(memory=G, cpus=1.0), ("memory", "pids"), "both"),
        (Limits(memory=G, pids=3), (), "daemon"),
    ],
)
def test_it_is_said_who_holds_them(limits: Limits, kernel: tuple[str, ...], who: str | None) -> None:
    assert limits.limited_by(kernel) == who


def test_limits_are_told_in_brief() -> None:
    assert str(Limits(2 * G, 1.5, 200, 7200.0)) == "memory 2G, cpus 1.5, pids 200, time 2h"
    assert str(Limits(pids=1)) == "pids 1"


@given(st.integers(1 << 20, 1 << 50), st.integers(1, 1 << 50))
def test_what_was_found_reads_as_more(limit: int, more: int) -> None:
    found, _, told = over_memory(limit + more, limit).removeprefix("limit: memory ").partition(" > ")
    assert found != told


def test_which_limit_ended_an_agent_is_told() -> None:
    assert over_memory(2_255_000_000, 2 * G) == "limit: memory 2.1G > 2G"
    assert over_memory(None, 2 * G) == "limit: memory 2G"
    assert over_pids(201, 200) == "limit: pids 201 > 200"
    assert over_pids(None, 200) == "limit: pids 200"
    assert over_time(7200.0) == "limit: time 2h"
