"""Outputs stay within their caps; what is dropped for it is committed, told, and never read as zeros."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from descartes_core.ids import new_id
from descartes_daemon import hole
from descartes_daemon.dropping import _step
from descartes_daemon.unit import Unit
from tests.support.inside import PATIENCE, Inside, open_inside

pytestmark = pytest.mark.anyio

MEBIBYTE = 1024 * 1024


def configure(directory: Path, **output: object) -> None:
    """Write a config.toml that `open_inside` finds."""
    (directory / "home").mkdir(mode=0o700)
    lines = [f"{key} = {value!r}" for key, value in output.items()]
    (directory / "home" / "config.toml").write_text("\n".join(["[output]", *lines, ""]))


def lines(count: int) -> list[str]:
    """Return a program that says so many lines of a hundred bytes, each with its number."""
    return ["sh", "-c", f"stty -onlcr; seq -f %099.0f {count}"]


async def finished(inside: Inside, spawned: dict[str, Any]) -> None:
    """Wait until an agent has ended, all it said is stored, and nothing of it is dropped any more."""
    await inside.ended(spawned["id"])
    await inside.gone(spawned["id"])
    await rested(inside)


async def rested(inside: Inside) -> None:
    """Wait until nothing is dropped any more."""
    if inside.daemon.caps._work is not None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([inside.daemon.caps._work])


async def dropped(inside: Inside) -> list[dict[str, Any]]:
    events = (await inside.call("event.list", limit=10_000))["events"]
    return [event for event in events if event["event_type"] == "output_dropped"]


async def test_an_agent_keeps_within_its_cap(short: Path) -> None:
    configure(short, agent_cap=4 * MEBIBYTE)
    async with open_inside(short) as inside:
        spawned = await inside.spawn(lines(200_000))
        await finished(inside, spawned)
        detail = (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]
        begin, size = detail["output_from"], detail["output_bytes"]
        assert size == 20_000_000
        assert size - 4 * MEBIBYTE <= begin < size - MEBIBYTE
        assert begin % 100 == 0  # at a line
        path = Path(detail["log_path"])
        assert path.stat().st_size == size
        assert path.stat().st_blocks * 512 <= 5 * MEBIBYTE
        log = (await inside.daemon.agents.find(spawned["id"])).log
        assert log.read(begin, 100) == b"%099d\n" % (begin // 100 + 1)
        told = [(event["data"]["begin"], event["data"]["end"]) for event in await dropped(inside)]
        assert [end for _, end in told[:-1]] == [begin for begin, _ in told[1:]]
        assert (told[0][0], told[-1][1]) == (0, begin)
        assert len(told) <= 20  # in steps, so that it is rare
        assert inside.daemon.caps.kept == log.kept


async def test_a_session_gives_up_the_longest_ended_first(short: Path) -> None:
    configure(short, session_cap=8 * MEBIBYTE)
    async with open_inside(short) as inside:
        agents = []
        for _ in range(4):
            agents.append(await inside.spawn(lines(30_000)))
            await finished(inside, agents[-1])
        found = [(await inside.call("agent.get", agent_id=agent["id"]))["agent"] for agent in agents]
        begins = [one["output_from"] for one in found]
        assert begins[0] > 3_000_000 - MEBIBYTE  # of the rest there would be little gain
        assert begins[2:] == [0, 0]
        assert inside.daemon.caps.kept <= 8 * MEBIBYTE
        reasons = {event["data"]["reason"] for event in await dropped(inside)}
        assert reasons == {"output.session_cap"}


@pytest.mark.soak
async def test_the_largest_of_the_living_gives_when_nothing_ended_is_left(short: Path) -> None:
    configure(short, session_cap=4 * MEBIBYTE)
    async with open_inside(short) as inside:
        small = await inside.spawn(["sh", "-c", "echo small; read x"])
        await inside.until(small["id"], b"small")
        large = await inside.spawn(["sh", "-c", "stty -onlcr; seq -f %099.0f 100000; read x"])
        await inside.until(large["id"], b"%099d\n" % 100_000)
        await rested(inside)
        assert inside.agent(small["id"]).log.begin == 0
        assert inside.agent(large["id"]).log.begin >= 10_000_000 - 4 * MEBIBYTE
        assert inside.daemon.caps.kept <= 4 * MEBIBYTE


async def test_readers_are_told_of_the_gap(short: Path) -> None:
    configure(short, agent_cap=MEBIBYTE)
    async with open_inside(short) as inside:
        spawned = await inside.spawn(lines(50_000))
        await finished(inside, spawned)
        reply = await inside.call("agent.output", agent_id=spawned["id"], offset=500)
        begin = (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]["output_from"]
        assert (reply["gap"]["begin"], reply["gap"]["end"], reply["offset"]) == (500, begin, begin)
        assert "output.agent_cap" in reply["gap"]["reason"]


async def test_a_killed_daemon_leaves_a_front_that_the_next_one_gives_back(short: Path) -> None:
    """Killed after the commit: nobody reads the front any more, but it still takes room."""
    configure(short, agent_cap=4 * MEBIBYTE)
    identity = new_id()
    async with open_inside(short, identity=identity) as inside:
        spawned = await inside.spawn(lines(30_000))
        await finished(inside, spawned)
        await inside.daemon.store.commit(Unit().set_begin(spawned["id"], "stdout", 2_000_000))
        path = Path((await inside.call("agent.get", agent_id=spawned["id"]))["agent"]["log_path"])
    assert path.stat().st_blocks * 512 > 2_500_000
    async with open_inside(short, identity=identity) as inside:
        await counted(inside)
        assert path.stat().st_blocks * 512 < 1_100_000
        assert inside.daemon.caps.kept == 1_000_000
        reply = await inside.call("agent.output", agent_id=spawned["id"], offset=0, limit=1)
        assert reply["gap"]["end"] == 2_000_000


async def test_a_program_that_cuts_its_log_is_read_from_its_beginning_by_the_next_daemon_too(short: Path) -> None:
    """The beginning that was stored is of the file as it was: it would hide what is said now, and punch it out."""
    configure(short, agent_cap=4 * MEBIBYTE)
    identity = new_id()
    async with open_inside(short, identity=identity) as inside:
        script = (
            "head -c 5000000 /dev/zero | tr '\\0' x; read go; echo new > /dev/stdout; read go; seq -f %099.0f 30000"
        )
        spawned = await inside.spawn(["sh", "-c", script], tty=False)
        assert 0 < await begin_of(inside, spawned, lambda begin, _: begin > 0) < 3_000_000
        await inside.call("agent.write", agent_id=spawned["id"], text="go", enter=True)
        await begin_of(inside, spawned, lambda begin, size: (begin, size) == (0, 4))
        await inside.call("agent.write", agent_id=spawned["id"], text="go", enter=True)
        await finished(inside, spawned)
    async with open_inside(short, identity=identity) as inside:
        await counted(inside)
        reply = await inside.call("agent.output", agent_id=spawned["id"], offset=0)
        assert (reply["gap"], reply["size"]) == (None, 3_000_004)
        assert base64.b64decode(reply["data"]).startswith(b"new\n0000")
        assert inside.daemon.caps.kept == 3_000_004
        assert await begin_of(inside, spawned, lambda *_: True) == 0


async def begin_of(inside: Inside, spawned: dict[str, Any], is_so: Callable[[int, int], bool]) -> int:
    """Return where an agent's output begins, once beginning and size are so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            detail = (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]
            if is_so(detail["output_from"], detail["output_bytes"]):
                await rested(inside)
                return int((await inside.call("agent.get", agent_id=spawned["id"]))["agent"]["output_from"])


async def counted(inside: Inside) -> None:
    await inside.daemon.caps.begin()


async def test_where_nothing_can_be_given_back_nothing_is_dropped_and_it_is_told(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hole, "can_punch", lambda _descriptor: False)
    configure(short, agent_cap=MEBIBYTE, session_cap=2 * MEBIBYTE)
    async with open_inside(short) as inside:
        spawned = await inside.spawn(lines(50_000))
        await finished(inside, spawned)
        assert (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]["output_from"] == 0
        assert await dropped(inside) == []
        notices = (await inside.call("session.info"))["session"]["notices"]
        assert sum("the caps are not kept" in notice for notice in notices) == 1


def test_a_step_is_never_more_than_half_of_a_cap() -> None:
    assert [_step(cap) for cap in (1, 1000, MEBIBYTE * 4, MEBIBYTE * 64)] == [1, 501, MEBIBYTE, 4 * MEBIBYTE]


async def test_counting_again_finds_the_same(short: Path) -> None:
    async with open_inside(short) as inside:
        for count in (1000, 2000):
            await finished(inside, await inside.spawn(lines(count)))
        living = await inside.spawn(["sh", "-c", "printf x; read x"])
        await inside.until(living["id"], b"x")
        kept = inside.daemon.caps.kept
        await counted(inside)
        assert inside.daemon.caps.kept == kept == 300_001
