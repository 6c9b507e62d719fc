"""Every counter is real: it moves when what it counts happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from descartes_core.errors import AgentNotFound
from tests.support.inside import Inside, open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def metrics(inside: Inside) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample by its name and the values of its labels."""
    text = (await inside.call("system.metrics"))["text"]
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(one.labels.values())): one.value for family in families for one in family.samples}


async def test_agents_and_what_they_say_are_counted(short: Path) -> None:
    async with open_inside(short) as inside:
        before = await inside.call("system.stats")
        assert (before["agents"], before["agents_total"], before["output_bytes"]) == ({}, 0, 0)
        spawned = await inside.spawn(agent("echoer"))
        await inside.until(spawned["id"], b"ready\r\n")
        await inside.call("agent.write", agent_id=spawned["id"], text="hello\n")
        await inside.until(spawned["id"], b"heard: hello\r\n")
        stats = await inside.call("system.stats")
        assert (stats["agents"], stats["agents_total"]) == ({"running": 1}, 1)
        assert stats["recording"] == {spawned["id"]: "splice"}
        assert stats["output_bytes"] == len(await inside.output(spawned["id"]))
        assert stats["disk_bytes"] > 0
        assert stats["input_bytes"] == 6
        assert stats["events"] > before["events"]
        assert (await metrics(inside))["descartes_output_recorded_bytes_total", ()] == stats["output_bytes"]


async def test_calls_and_connections_are_counted(short: Path) -> None:
    async with open_inside(short) as inside:
        line = await inside.line()
        before: dict[str, Any] = await line.call("system.stats")
        with pytest.raises(AgentNotFound):
            await line.call("agent.get", agent_id="nobody")
        other = await inside.line()
        await other.call("agent.list")
        after = await line.call("system.stats")
        assert after["requests"] == before["requests"] + 3
        assert after["failures"] == before["failures"] + 1
        assert after["connections"]["unix"] == before["connections"]["unix"] + 1
        assert after["connections_total"] == before["connections_total"] + 1
        assert after["descriptors"] > before["descriptors"]
        assert after["uptime_secs"] >= before["uptime_secs"]
        assert after["memory_bytes"] > 1_000_000


async def test_watchers_are_counted(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"))
        line = await inside.line()
        await line.call("agent.attach", agent_id=spawned["id"], mode="ro")
        assert (await inside.call("system.stats"))["watchers"] == 1


async def test_durations_and_failures_are_exposed(short: Path) -> None:
    async with open_inside(short) as inside:
        await inside.spawn(["true"])
        with pytest.raises(AgentNotFound):
            await inside.call("agent.get", agent_id="nobody")
        found = await metrics(inside)
        assert found["descartes_spawn_duration_seconds_count", ()] == 1
        assert 0 < found["descartes_spawn_duration_seconds_sum", ()] < 60
        assert found["descartes_request_failures_total", ("agent_not_found", "agent.get")] == 1
        assert found["descartes_store_commits_total", ()] > 1


async def test_starts_of_a_session_are_counted_over_its_daemons(short: Path) -> None:
    identity = "5d3e1c9a-0000-4000-8000-000000000001"
    for starts in (1, 2, 3):
        async with open_inside(short, identity=identity) as inside:
            assert (await metrics(inside))["descartes_daemon_starts_total", ()] == starts


async def test_health_is_known_without_a_look_inside_for_a_moment(short: Path) -> None:
    async with open_inside(short) as inside:
        await inside.call("system.health")
        assert inside.daemon.store.health() == "healthy"
        path = inside.daemon.store.path
        path.rename(f"{path}.aside")
        assert (await inside.call("system.health"))["status"].endswith("was removed or replaced")
        Path(f"{path}.aside").rename(path)
        assert (await inside.call("system.health"))["status"] == "healthy"
