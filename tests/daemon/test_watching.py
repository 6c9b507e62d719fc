"""Ends are stored before they are reaped, and wait for a store that cannot be written."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Unavailable
from descartes_local.processes import children_of_self, stat_of
from tests.support.inside import Inside, open_inside
from tests.support.programs import agent
from tests.support.waiting import process_gone

pytestmark = pytest.mark.anyio


async def causes(inside: Inside, identity: str) -> list[str]:
    return [move.cause for move in await inside.daemon.store.transitions(identity)]


@pytest.mark.parametrize(
    ("script", "status", "code", "signal"),
    [
        ("exit 0", "completed", 0, None),
        ("exit 5", "failed", 5, None),
        ("kill -KILL $$", "failed", None, "SIGKILL"),
        ("kill -37 $$", "failed", None, "SIG37"),
    ],
)
async def test_an_end_is_told_as_it_was(
    short: Path, script: str, status: str, code: int | None, signal: str | None
) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["bash", "-c", script])
        ended = await inside.ended(spawned["id"])
        assert (ended["status"], ended["exit_code"], ended["signal"]) == (status, code, signal)
        assert ended["started_at"] <= ended["ended_at"]


async def test_who_has_ended_is_no_zombie(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["true"])
        await inside.ended(spawned["id"])
        assert children_of_self() == []


async def test_an_end_waits_for_the_store_and_is_not_reaped_before(short: Path) -> None:
    """The exit code was once lost when the disk was full at the moment of the end."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("echoer"))
        await inside.until(spawned["id"], b"ready")
        database = sqlite3.connect(inside.daemon.store.path, isolation_level=None)
        await inside.daemon.store._writer.execute("PRAGMA busy_timeout = 1")
        database.execute("BEGIN IMMEDIATE")
        inside.agent(spawned["id"]).body.keys.type(b"exit 9\n")  # type: ignore[union-attr]
        async with asyncio.timeout(10):
            while await inside.daemon.store.healthy() == "healthy":
                await inside.call("system.stats")
        stat = stat_of(spawned["pid"])
        assert stat is not None
        assert stat.is_dead
        database.execute("ROLLBACK")
        database.close()
        ended = await inside.ended(spawned["id"])
        assert (ended["status"], ended["exit_code"]) == ("failed", 9)
        assert await causes(inside, spawned["id"]) == ["spawned", "ended_badly"]


async def test_an_end_does_not_wait_for_ever_for_who_holds_the_terminal(short: Path) -> None:
    async with open_inside(short) as inside:
        script = "trap '' HUP; (exec sleep 1000) & echo said; exit 2"
        spawned = await inside.spawn(["bash", "-c", script], leave=True)
        ended = await inside.ended(spawned["id"])
        assert ended["exit_code"] == 2
        assert await inside.output(spawned["id"]) == b"said\r\n"
        for process in inside.agent(spawned["id"]).find_tree():
            os.kill(process.pid, 9)


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
async def test_a_full_disk_loses_neither_bytes_nor_exit_code(short: Path) -> None:
    """Store and log lie on the same disk: the agent waits, the end is stored once there is room."""
    disk, checksum = short / "disk", short / "checksum"
    disk.mkdir()
    with small_disk(disk):
        async with open_inside(disk) as inside:
            spawned = await inside.spawn(agent("loud", 300_000, "--checksum", checksum, "--code", 7))
            await disk_is_full(inside)
            fill(disk)
            with pytest.raises(Unavailable, match="full"):
                await until_refused(inside, "agent.spawn", command=["true"])
            make_room(disk)
            assert (await inside.ended(spawned["id"]))["exit_code"] == 7
            said = await inside.output(spawned["id"], follow=True)
            assert {"bytes": len(said), "sha256": hashlib.sha256(said).hexdigest()} == json.loads(checksum.read_text())
            statuses = {one["status"] for one in (await inside.call("agent.list", all=True))["agents"]}
            assert statuses <= {"completed", "failed"}


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
async def test_what_fills_the_disk_can_be_killed(short: Path) -> None:
    """The move cannot be stored, so it is refused; the tree is killed all the same, or the disk would stay full."""
    disk = short / "disk"
    disk.mkdir()
    with small_disk(disk):
        async with open_inside(disk) as inside:
            spawned = await inside.spawn(agent("loud", 300_000))
            await disk_is_full(inside)
            fill(disk)
            with pytest.raises(Unavailable, match="full"):
                await until_refused(inside, "agent.kill", agent_id=spawned["id"])
            process_gone(spawned["pid"])
            make_room(disk)
            assert (await inside.ended(spawned["id"]))["signal"] == "SIGKILL"


async def until_refused(inside: Inside, method: str, **params: Any) -> None:
    while True:
        await inside.call(method, **params)


async def disk_is_full(inside: Inside) -> None:
    notice = "not in keeping: ends with its daemon"
    while notice == "not in keeping: ends with its daemon":
        (notice,) = [one["notice"] for one in (await inside.call("agent.list"))["agents"]]
    assert notice == "disk full: it waits until its log can be written"


@contextlib.contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """Mount a disk on which a store fits, and little more."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def make_room(directory: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=50m", str(directory)], check=True)


def fill(directory: Path) -> None:
    with contextlib.suppress(OSError), (directory / "filler").open("wb", buffering=0) as filler:
        while filler.write(b"x" * 4096):
            pass
