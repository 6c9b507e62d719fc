"""Prometheus reads a running daemon, through its deaths too."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.request

import pytest
import websockets
from prometheus_client.parser import text_string_to_metric_families

from tests.support.person import Person
from tests.support.raw_doors import started
from tests.support.serving import kill_daemon, only_run

pytestmark = [pytest.mark.anyio, pytest.mark.supervisor("shared")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def samples(port: int) -> dict[str, float]:
    """Read the port of metrics, without a token; samples that have labels are left out."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        families = text_string_to_metric_families(answer.read().decode())
        return {one.name: one.value for family in families for one in family.samples if not one.labels}


async def test_counters_move_and_starts_are_counted(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("DESCARTES_SERVER__METRICS_PORT", str(port))
    doors = started(person)
    before = samples(port)
    assert before["descartes_daemon_starts_total"] == 1
    url = f"ws://127.0.0.1:{doors.ws}/events"
    async with websockets.connect(url, additional_headers=dict(doors.token), proxy=None) as listener:
        await listener.send('{"type": "Subscribe"}')
        assert json.loads(await listener.recv())["type"] == "SubscriptionConfirmed"
        workspace = person.directory / "projects" / "shop"
        await asyncio.to_thread(person.spawn, workspace, ["sh", "-c", "echo hello"], "--wait")
        while json.loads(await listener.recv())["payload"].get("event_type") != "completed":
            pass
        after = samples(port)
    assert after["descartes_subscriptions"] == 1
    assert after["descartes_event_lag_seconds_count"] >= 1
    assert after["descartes_spawn_duration_seconds_count"] == 1
    assert after["descartes_output_recorded_bytes_total"] == len("hello\r\n")
    assert after["descartes_agents_stored"] == 1
    for name in ("events", "requests", "store_commits", "connections_accepted"):
        assert after[f"descartes_{name}_total"] > before[f"descartes_{name}_total"], name
    kill_daemon(person.home)
    assert samples(port)["descartes_daemon_starts_total"] == 2
    assert only_run(person.home).ws_endpoint == f"ws://127.0.0.1:{doors.ws}"
