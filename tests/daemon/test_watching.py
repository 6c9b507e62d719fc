"""Ends are stored before they are reaped, and wait for a store that cannot be written."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from descartes_local.processes import children_of_self, stat_of
from tests.support.inside import Inside, open_inside
from tests.support.programs import agent

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
        inside.agent(spawned["id"]).body.terminal.type(b"exit 9\n")  # type: ignore[union-attr]
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
