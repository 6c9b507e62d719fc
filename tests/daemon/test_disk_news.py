"""A full disk is told once, also when the store lies on it, and so is what it cost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_daemon.disk_news import DiskNews
from descartes_daemon.gaps import FULL_DISK, Gap
from descartes_daemon.output_log import OutputLog
from tests.support.inside import PATIENCE, Inside, open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")


@contextlib.contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """Mount a disk on which a store fits, and little more."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def make_room(directory: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=80m", str(directory)], check=True)


async def told(inside: Inside, *kinds: str) -> list[dict[str, Any]]:
    events = (await inside.call("event.list", limit=10_000))["events"]
    return [event for event in events if event["event_type"] in kinds]


async def news(inside: Inside, count: int, *kinds: str) -> list[dict[str, Any]]:
    """Return so many events once they are stored."""
    async with asyncio.timeout(PATIENCE):
        while len(events := await told(inside, *kinds)) < count:
            await inside.call("event.list", since=inside.daemon.store.last_seq(), wait=1.0)
    return events


async def until_noticed(inside: Inside, words: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while words not in ((await inside.call("agent.list"))["agents"][0]["notice"] or ""):
            pass


@needs_root
async def test_a_flood_onto_a_full_disk_goes_on_behind_a_gap(short: Path) -> None:
    with small_disk(short / "disk") as disk:
        (disk / "home").mkdir(mode=0o700)
        (disk / "home" / "config.toml").write_text('[output]\non_full_disk = "drop"\n')
        async with open_inside(disk) as inside:
            spawned = await inside.spawn(["sh", "-c", "stty -onlcr -echo; seq -f %099.0f 60000; read x; echo after"])
            await until_noticed(inside, "what it says is lost")
            make_room(disk)
            await until_noticed(inside, "not in keeping")
            inside.agent(spawned["id"]).body.keys.type(b"\n")  # type: ignore[union-attr]
            await inside.ended(spawned["id"])
            events = await news(inside, 3, "disk_full", "disk_room", "output_dropped")
            assert sorted(event["event_type"] for event in events) == ["disk_full", "disk_room", "output_dropped"]
            assert events[0]["event_type"] == "disk_full"
            lost = next(event["data"] for event in events if event["event_type"] == "output_dropped")
            assert lost["reason"] == FULL_DISK
            gap = (await inside.call("agent.output", agent_id=spawned["id"], offset=lost["begin"]))["gap"]
            assert (gap["begin"], gap["end"]) == (lost["begin"], lost["end"])
            size = (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]["output_bytes"]
            assert size == 6_000_006
            tail = await inside.call("agent.output", agent_id=spawned["id"], tail=1)
            assert tail["offset"] == 6_000_000


@needs_root
async def test_by_default_the_agent_waits_and_it_is_told_once(short: Path) -> None:
    with small_disk(short / "disk") as disk:
        async with open_inside(disk) as inside:
            spawned = await inside.spawn(agent("loud", 300_000))
            await until_noticed(inside, "it waits")
            make_room(disk)
            await inside.ended(spawned["id"])
            full, room = await news(inside, 2, "disk_full", "disk_room")
            assert (full["event_type"], room["event_type"]) == ("disk_full", "disk_room")
            assert full["data"]["policy"] == "wait"
            assert full["data"]["agent_id"] == spawned["id"]
            assert full["timestamp"] <= room["timestamp"]
            assert await told(inside, "output_dropped") == []


async def test_many_agents_on_one_full_disk_are_one_piece_of_news(short: Path) -> None:
    async with open_inside(short) as inside:
        telling: DiskNews = inside.daemon.disk_news
        logs = [OutputLog(short / str(number)) for number in range(5)]
        for log in logs:
            telling.troubled(log, "disk full")
        for log in logs[:4]:
            telling.troubled(log, None)
        assert telling._storing is not None
        await telling._storing
        assert [event["event_type"] for event in await told(inside, "disk_full", "disk_room")] == ["disk_full"]
        telling.troubled(logs[4], None)
        telling.gap(logs[4], Gap(1, 2, FULL_DISK))
        await telling._storing
        events = await told(inside, "disk_full", "disk_room", "output_dropped")
        assert [event["event_type"] for event in events] == ["disk_full", "disk_room", "output_dropped"]


async def test_a_gap_that_a_killed_daemon_left_is_told_by_the_next_and_once(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"), name="fixer")
        log = OutputLog(short / "left")
        log.agent_id, log.drops_when_full = spawned["id"], True
        log.open()
        assert log.lose(100)
        assert log._index is not None
        log._index.close()
        for left in (log.descriptor, log.gaps._descriptor):
            os.close(left)
        for _ in range(3):
            log = OutputLog(short / "left")
            log.agent_id, log.on_gap = spawned["id"], inside.daemon.disk_news.gap
            log.open()
            assert inside.daemon.disk_news._storing is not None
            await inside.daemon.disk_news._storing
            log.close()
        (event,) = await told(inside, "output_dropped")
        assert event["data"] == {"name": "fixer", "stream": "stdout", "begin": 0, "end": 100, "reason": FULL_DISK}


async def test_an_agent_is_kept_until_its_gap_is_told(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"))
        silent = inside.agent(spawned["id"])
        assert silent.log.lose(100)
        await inside.call("agent.kill", agent_id=silent.id)
        async with asyncio.timeout(PATIENCE):
            await silent.let_go.wait()
        (event,) = await told(inside, "output_dropped")
        assert event["data"]["end"] == 100
