"""A clock that somebody sets hastens nothing, and puts nothing off."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.inside import Inside, open_inside
from tests.support.programs import agent

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("moved", [-86_400.0, 86_400.0], ids=["back", "forward"])]


async def test_a_stop_kills_after_its_grace(short: Path, monkeypatch: pytest.MonkeyPatch, moved: float) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("deaf"), grace=0.4)
        await inside.until(spawned["id"], b"ready")
        began = time.monotonic()
        stopping = asyncio.create_task(inside.call("agent.stop", agent_id=spawned["id"]))
        while inside.agent(spawned["id"]).row.state != "stopping":
            await inside.call("system.health")
        set_clock(monkeypatch, moved)
        assert (await stopping)["agent"]["status"] == "terminated"
        assert 0.4 <= time.monotonic() - began < 10


async def test_what_an_ended_agent_left_is_killed_after_the_grace(
    short: Path, monkeypatch: pytest.MonkeyPatch, moved: float
) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("forker", "--deaf", "--code", "0"), grace=0.4)
        await inside.ended(spawned["id"])
        began = time.monotonic()
        set_clock(monkeypatch, moved)
        await inside.gone(spawned["id"])
        assert time.monotonic() - began < 10


async def test_events_stay_in_order(short: Path, monkeypatch: pytest.MonkeyPatch, moved: float) -> None:
    async with open_inside(short) as inside:
        since = (await inside.call("event.list"))["last_seq"]
        waiting = asyncio.create_task(inside.call("event.list", since=since, wait=20.0))
        await spawn_true(inside)
        set_clock(monkeypatch, moved)
        assert (await waiting)["events"]
        await spawn_true(inside)
        events = (await inside.call("event.list"))["events"]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert (events[-1]["timestamp"] > events[0]["timestamp"]) == (moved > 0)


def set_clock(monkeypatch: pytest.MonkeyPatch, moved: float) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + moved)


async def spawn_true(inside: Inside) -> None:
    await inside.ended((await inside.spawn(["true"]))["id"])
