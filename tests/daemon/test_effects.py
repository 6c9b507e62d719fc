"""What a move asks for is done to the whole tree."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import IllegalTransition
from descartes_daemon.ending import all_ended
from descartes_local.processes import Process, is_alive, process_of, stat_of
from tests.support.inside import PATIENCE, Inside, open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def tree_of(inside: Inside, identity: str) -> dict[str, Process]:
    """Return the processes that a forker has told of, by kind."""
    said = await inside.until(identity, b"ready")
    lines = [line.split() for line in said.decode().splitlines()]
    found = {kind: process_of(int(pid)) for kind, pid in lines}
    assert None not in found.values()
    return {kind: process for kind, process in found.items() if process is not None}


async def a_forker(inside: Inside, *options: str, **more: Any) -> tuple[str, dict[str, Process]]:
    spawned = await inside.spawn(agent("forker", *options), **more)
    return spawned["id"], await tree_of(inside, spawned["id"])


def alive(tree: dict[str, Process]) -> set[str]:
    return {kind for kind, process in tree.items() if is_alive(process)}


def states(tree: dict[str, Process]) -> set[str]:
    return {stat.state for process in tree.values() if (stat := stat_of(process.pid)) is not None}


async def test_a_stop_is_answered_when_the_whole_tree_is_gone(short: Path) -> None:
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside)
        stopped = (await inside.call("agent.stop", agent_id=identity))["agent"]
        assert (stopped["status"], stopped["signal"]) == ("terminated", "SIGTERM")
        assert alive(tree) == set()


async def test_who_is_deaf_is_killed_after_the_grace(short: Path) -> None:
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside, "--deaf")
        began = time.monotonic()
        stopped = (await inside.call("agent.stop", agent_id=identity, grace=0.3))["agent"]
        assert time.monotonic() - began >= 0.3
        assert (stopped["status"], stopped["signal"]) == ("terminated", "SIGKILL")
        assert alive(tree) == set()
        causes = [move.cause for move in await inside.daemon.store.transitions(identity)]
        assert causes == ["spawned", "stop_asked", "grace_over", "ended_badly"]


async def test_a_kill_leaves_nothing_and_waits_for_no_grace(short: Path) -> None:
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside, "--deaf", grace=3600.0)
        killed = (await inside.call("agent.kill", agent_id=identity))["agent"]
        assert (killed["status"], killed["signal"]) == ("terminated", "SIGKILL")
        assert alive(tree) == set()


async def test_a_kill_hastens_a_stop_and_both_are_answered(short: Path) -> None:
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside, "--deaf", grace=3600.0)
        stopping = [asyncio.create_task(inside.call("agent.stop", agent_id=identity)) for _ in range(2)]
        while inside.agent(identity).row.state != "stopping":
            await inside.call("system.stats")
        await inside.call("agent.kill", agent_id=identity)
        # The second stop was once refused: "is stopping".
        assert {reply["agent"]["status"] for reply in await asyncio.gather(*stopping)} == {"terminated"}
        assert alive(tree) == set()


async def test_who_ends_by_itself_ends_its_rest(short: Path) -> None:
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside, "--code", "3", "--deaf", grace=0.2)
        ended = await inside.ended(identity)
        assert (ended["status"], ended["exit_code"]) == ("failed", 3)
        await inside.gone(identity)
        assert alive(tree) == set()
        assert await inside.daemon.store.remains() == []


async def test_what_is_left_is_killed_at_once_where_that_is_asked(short: Path) -> None:
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside, "--code", "0", "--deaf", grace=3600.0)
        await inside.ended(identity)
        await inside.call("agent.kill", agent_id=identity)
        assert alive(tree) == set()


async def test_leave_keeps_what_is_left(short: Path) -> None:
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside, "--code", "0", "--deaf", leave=True)
        await inside.ended(identity)
        await inside.gone(identity)
        assert alive(tree) == {"child", "setsid", "double"}
        for process in tree.values():
            if is_alive(process):
                os.kill(process.pid, 9)


async def test_a_pause_holds_the_whole_tree_and_a_resume_lets_it_go_on(short: Path) -> None:
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside)
        paused = (await inside.call("agent.pause", agent_id=identity))["agent"]
        assert paused["status"] == "paused"
        assert states(tree) == {"T"}
        resumed = (await inside.call("agent.resume", agent_id=identity))["agent"]
        assert resumed["status"] == "running"
        assert "T" not in states(tree)


async def test_the_last_of_many_pauses_and_resumes_counts(short: Path) -> None:
    """Both walk over the tree in threads: the second of two must not overtake the first."""
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside)
        line = await inside.line()
        for _ in range(5):
            await line.call("agent.pause", agent_id=identity)
            await line.call("agent.resume", agent_id=identity)
            assert "T" not in states(tree)
        await line.call("agent.pause", agent_id=identity)
        assert states(tree) == {"T"}


async def test_who_is_paused_hears_a_stop(short: Path) -> None:
    async with open_inside(short) as inside:
        identity, tree = await a_forker(inside)
        await inside.call("agent.pause", agent_id=identity)
        stopped = (await inside.call("agent.stop", agent_id=identity, grace=60.0))["agent"]
        assert (stopped["status"], stopped["signal"]) == ("terminated", "SIGTERM")
        assert alive(tree) == set()


async def test_a_shell_is_asked_by_hup_and_takes_its_jobs_along(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["bash", "--norc", "-i"], env={"PATH": os.environ["PATH"], "PS1": "> "})
        await inside.call("agent.write", agent_id=spawned["id"], text="sleep 1000 & echo job=$((40+2)) $!\r")
        said = await inside.until(spawned["id"], b"job=42 ")
        while not (number := said.partition(b"job=42 ")[2].split(b"\r")[:-1]):
            said = await inside.output(spawned["id"])
        job = process_of(int(number[0]))
        assert job is not None
        stopped = (await inside.call("agent.stop", agent_id=spawned["id"], grace=5.0))["agent"]
        assert stopped["signal"] in ("SIGHUP", None)
        assert not is_alive(job)


async def test_what_has_ended_cannot_be_moved(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["true"])
        await inside.ended(spawned["id"])
        await inside.gone(spawned["id"])
        for method in ("stop", "kill", "pause", "resume"):
            with pytest.raises(IllegalTransition, match="is completed"):
                await inside.call(f"agent.{method}", agent_id=spawned["id"])


async def test_many_end_in_parallel(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = [await inside.spawn(agent("deaf"), grace=0.5) for _ in range(10)]
        for one in spawned:
            await inside.until(one["id"], b"ready")
        began = time.monotonic()
        ended = (await inside.call("system.shutdown", force=True))["ended"]
        assert set(ended) == {one["id"] for one in spawned}
        # One after the other they would take ten graces.
        assert time.monotonic() - began < 4.0


async def test_all_ended_waits_for_the_last() -> None:
    first, second = [await asyncio.create_subprocess_exec("sleep", "60") for _ in range(2)]
    both = {process for pid in (first.pid, second.pid) if (process := process_of(pid)) is not None}
    await all_ended(both, 0.01)
    first.kill()
    second.kill()
    async with asyncio.timeout(PATIENCE):
        await all_ended(both, PATIENCE)
    assert not any(map(is_alive, both))
    await first.wait()
    await second.wait()
    await all_ended(both, PATIENCE)
