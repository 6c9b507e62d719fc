"""What was seen of a tree never gets less, and each figure says who counted it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from descartes_core.messages.agents import AgentUsage
from descartes_core.usage import Usage, total

COUNTS = st.none() | st.integers(0, 1 << 50)
SOURCES = st.none() | st.sampled_from(["cgroup", "rusage", "proc"])
USAGES = st.builds(
    Usage,
    st.none() | st.floats(0, 1e9),
    *[COUNTS] * 5,
    *[SOURCES] * 3,
)
GROWING = ("cpu_seconds", "memory_peak_bytes", "read_bytes", "written_bytes")


@given(USAGES, USAGES)
def test_the_more_that_was_seen_counts(one: Usage, other: Usage) -> None:
    both = one.at_least(other)
    for figure in GROWING:
        seen = [value for look in (one, other) if (value := getattr(look, figure)) is not None]
        assert getattr(both, figure) == max(seen, default=None)
    assert (both.memory_bytes, both.processes) == (one.memory_bytes, one.processes)
    assert both.at_least(one) == both.at_least(both) == both


@given(USAGES)
def test_nothing_seen_before_changes_nothing(usage: Usage) -> None:
    assert usage.at_least(None) == usage.at_least(Usage()) == usage


def test_who_saw_more_is_named() -> None:
    now = Usage(cpu_seconds=1.0, memory_peak_bytes=10, cpu_source="rusage", memory_source="rusage")
    before = Usage(cpu_seconds=0.5, memory_peak_bytes=20, cpu_source="proc", memory_source="proc")
    assert now.at_least(before) == Usage(
        cpu_seconds=1.0, memory_peak_bytes=20, cpu_source="rusage", memory_source="proc"
    )


@given(USAGES)
def test_it_is_stored_and_told_as_the_methods_promise(usage: Usage) -> None:
    stored = json.loads(json.dumps(usage.as_json()))
    assert Usage.from_json(stored) == usage
    assert AgentUsage.model_validate(stored).model_dump() == stored


def test_what_a_newer_version_stored_besides_is_left_out() -> None:
    assert Usage.from_json({"cpu_seconds": 1.0, "joules": 5}) == Usage(cpu_seconds=1.0)
    assert Usage.from_json(None) is None


def test_who_has_ended_takes_nothing_any_more() -> None:
    usage = Usage(cpu_seconds=2.0, memory_bytes=5, memory_peak_bytes=7, processes=1)
    assert usage.at_end == Usage(cpu_seconds=2.0, memory_peak_bytes=7)


def test_sums_leave_out_what_nobody_could_count() -> None:
    looks = [Usage(cpu_seconds=1.0, read_bytes=None, processes=2), Usage(cpu_seconds=0.5, read_bytes=3, memory_bytes=4)]
    sums = {"cpu_seconds": 1.5, "memory_bytes": 4, "processes": 2, "read_bytes": 3, "written_bytes": 0}
    assert total(looks) == sums
    assert total([]) == dict.fromkeys(sums, 0)
