"""Prometheus reads what the daemon counts."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from descartes_core.agent_life import State
from descartes_daemon.counts import Counts
from descartes_daemon.exposition import text_of

STATS: dict[str, Any] = {
    "agents": {"running": 2},
    "agents_total": 7,
    "output_bytes": 100,
    "disk_bytes": 4096,
    "events": 30,
    "requests": 50,
    "failures": 1,
    "connections": {"unix": 1, "http": 2, "websocket": 3},
    "connections_total": 20,
    "subscriptions": 3,
    "watchers": 1,
    "input_bytes": 12,
    "recording": {},
    "usage": {
        "living": {"cpu_seconds": 1.5, "memory_bytes": 50, "processes": 3, "read_bytes": 60, "written_bytes": 70},
        "ended": {"cpu_seconds": 8.25, "read_bytes": 80, "written_bytes": 90},
    },
    "gaps": 4,
    "descriptors": 40,
    "descriptors_limit": 1024,
    "memory_bytes": 30_000_000,
    "uptime_secs": 1.5,
}


def read(counts: Counts) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample by its name and the values of its labels."""
    families = text_string_to_metric_families(text_of(STATS, counts, commits=9, starts=2))
    return {(one.name, tuple(one.labels.values())): one.value for family in families for one in family.samples}


def test_every_counter_is_exposed() -> None:
    counts = Counts()
    counts.called("agent.spawn", 0.02, None)
    counts.called("agent.get", 0.0001, "agent_not_found")
    counts.lag.add(0.002)
    found = read(counts)
    assert found["descartes_agents", ("running",)] == 2
    assert {labels for name, labels in found if name == "descartes_agents"} == {(state.value,) for state in State}
    assert found["descartes_connections", ("websocket",)] == 3
    assert found["descartes_spawn_duration_seconds_bucket", ("0.025",)] == 1
    assert found["descartes_spawn_duration_seconds_count", ()] == 1
    assert found["descartes_request_duration_seconds_count", ("agent.get",)] == 1
    assert found["descartes_request_failures_total", ("agent_not_found", "agent.get")] == 1
    assert found["descartes_event_lag_seconds_sum", ()] == 0.002
    assert found["descartes_gaps_total", ()] == 4
    assert found["descartes_store_commits_total", ()] == 9
    assert found["descartes_daemon_starts_total", ()] == 2


def test_nothing_but_what_moves_is_exposed() -> None:
    assert not [name for name, _ in read(Counts()) if name.endswith("_created")]
