"""That descriptors run short is told before it hurts; then no agent is started."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.errors import Shortage
from descartes_local.descriptors import open_descriptors
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio


@pytest.fixture
def taken() -> Iterator[list[int]]:
    """Give a list of descriptors that are closed at the end, and the limit back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors: list[int] = []
    yield descriptors
    release(descriptors)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def release(taken: list[int]) -> None:
    """Close them all."""
    while taken:
        os.close(taken.pop())


def leave(free: int, taken: list[int]) -> None:
    """Let so many descriptors be free."""
    count, limit = open_descriptors(), 1000
    assert count is not None
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    while count + free > limit:
        os.close(taken.pop())
        count -= 1
    taken += [os.dup(0) for _ in range(limit - count - free)]


async def notices(inside: Inside) -> list[str]:
    found: list[str] = (await inside.call("session.info"))["session"]["notices"]
    return [notice for notice in found if "descriptors" in notice]


async def told(inside: Inside) -> list[dict[str, int]]:
    events = (await inside.call("event.list"))["events"]
    return [event["data"] for event in events if event["event_type"] == "descriptors_low"]


async def test_it_is_told_once_before_it_hurts(short: Path, taken: list[int]) -> None:
    async with open_inside(short) as inside:
        leave(120, taken)
        for _ in range(2):
            spawned = await inside.spawn(["true"])
            await inside.ended(spawned["id"])
            await inside.gone(spawned["id"])
        assert len(await notices(inside)) == 1
        (event,) = await told(inside)
        assert event["limit"] == 1000
        assert 64 < event["free"] <= 120
        release(taken)


async def test_no_agent_is_started_with_too_few(short: Path, taken: list[int]) -> None:
    async with open_inside(short) as inside:
        leave(60, taken)
        with pytest.raises(Shortage, match=r"of the daemon's 1000 descriptors are free.*agents\.spare_descriptors"):
            await inside.spawn(["true"])
        assert (await inside.call("agent.list", all=True))["agents"] == []
        leave(300, taken)
        await inside.spawn(["true"])
        assert await notices(inside) == []
        release(taken)


async def test_where_it_is_switched_off_it_is_not_looked_at(short: Path, taken: list[int]) -> None:
    (short / "home").mkdir()
    (short / "home" / "config.toml").write_text("[agents]\nspare_descriptors = 0\n")
    async with open_inside(short) as inside:
        leave(60, taken)
        await inside.spawn(["true"])
        assert await told(inside) == []
        release(taken)
