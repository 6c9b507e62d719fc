"""Output is read from anywhere: by offset, lines, time or expression; what is gone is told."""

from __future__ import annotations

import asyncio
import base64
import time
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import InvalidParams, NotHere
from descartes_core.times import read, written
from tests.support.inside import PATIENCE, Inside, open_inside

pytestmark = pytest.mark.anyio


async def said(inside: Inside, script: str) -> str:
    """Run a script to its end, and to that of its log, and return its agent's id."""
    spawned = await inside.spawn(["sh", "-c", f"stty -onlcr; {script}"])
    await inside.ended(spawned["id"])
    await inside.gone(spawned["id"])
    return str(spawned["id"])


def text(reply: dict[str, Any]) -> str:
    return base64.b64decode(reply["data"]).decode()


async def test_a_piece_tells_where_to_go_on(short: Path) -> None:
    async with open_inside(short) as inside:
        agent = await said(inside, "printf 0123456789")
        reply = await inside.call("agent.output", agent_id=agent, offset=2, limit=5)
        assert (text(reply), reply["offset"], reply["next_offset"], reply["has_more"]) == ("23456", 2, 7, True)
        reply = await inside.call("agent.output", agent_id=agent, offset=7)
        assert (text(reply), reply["next_offset"], reply["has_more"], reply["ended"]) == ("789", 10, False, True)
        reply = await inside.call("agent.output", agent_id=agent, offset=10, wait=PATIENCE)
        assert (text(reply), reply["next_offset"], reply["gap"]) == ("", 10, None)
        with pytest.raises(InvalidParams, match="beyond the 10 bytes"):
            await inside.call("agent.output", agent_id=agent, offset=11)


async def test_the_last_lines(short: Path) -> None:
    async with open_inside(short) as inside:
        agent = await said(inside, "seq 100")
        assert text(await inside.call("agent.output", agent_id=agent, tail=2)) == "99\n100\n"
        assert text(await inside.call("agent.output", agent_id=agent, tail=0)) == ""


async def test_what_was_said_since_a_moment(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "stty -echo -onlcr; echo one; read x; echo two; read x"])
        await inside.until(spawned["id"], b"one\n")
        await asyncio.to_thread(later)
        moment = written(time.time())
        inside.agent(spawned["id"]).body.keys.type(b"\n")  # type: ignore[union-attr]
        await inside.until(spawned["id"], b"two\n")
        assert text(await inside.call("agent.output", agent_id=spawned["id"], since=moment)) == "two\n"
        everything = await inside.call("agent.output", agent_id=spawned["id"], since="2001-01-01T00:00:00Z")
        assert text(everything) == "one\ntwo\n"
        nothing = await inside.call("agent.output", agent_id=spawned["id"], since="2101-01-01T00:00:00Z")
        assert (text(nothing), nothing["offset"]) == ("", 8)
        for nonsense in ("yesterday", "99999999999", "2026-13-01T00:00:00Z"):
            with pytest.raises(InvalidParams, match="since"):
                await inside.call("agent.output", agent_id=spawned["id"], since=nonsense)


def later() -> None:
    """Return once the clock has moved on by more than what makes two pieces one."""
    begin = time.time()
    while time.time() < begin + 0.05:
        pass


async def test_the_times_of_a_piece(short: Path) -> None:
    async with open_inside(short) as inside:
        began = time.time()
        spawned = await inside.spawn(["sh", "-c", "stty -echo -onlcr; echo one; read x; echo two; read x"], rows=30)
        await inside.until(spawned["id"], b"one\n")
        await inside.call("agent.resize", agent_id=spawned["id"], rows=40, cols=100)
        await asyncio.to_thread(later)
        inside.agent(spawned["id"]).body.keys.type(b"\n")  # type: ignore[union-attr]
        await inside.until(spawned["id"], b"two\n")
        reply = await inside.call("agent.output", agent_id=spawned["id"], times=True)
        ends = [(one["end"], one["rows"], one["cols"]) for one in reply["times"]]
        assert ends == [(0, 30, 80), (4, 30, 80), (4, 40, 100), (8, 40, 100)]
        moments = [read(one["at"]) for one in reply["times"]]
        assert moments == sorted(moments)
        assert began <= moments[0] <= moments[-1] <= time.time()
        rest = await inside.call("agent.output", agent_id=spawned["id"], times=True, offset=4)
        assert [(one["end"], one["rows"]) for one in rest["times"]] == [(4, 40), (8, 40)]
        cut = await inside.call("agent.output", agent_id=spawned["id"], times=True, limit=2)
        assert [one["end"] for one in cut["times"]] == [0, 2]


async def test_without_an_index_the_file_tells_the_time(short: Path) -> None:
    async with open_inside(short) as inside:
        agent = await said(inside, "echo one")
        log = (await inside.daemon.agents.find(agent)).log
        (log.directory / "output.idx").unlink()
        (when,) = (await inside.call("agent.output", agent_id=agent, times=True))["times"]
        assert (when["end"], read(when["at"])) == (4, pytest.approx(log.path.stat().st_mtime, abs=0.001))


async def test_lines_that_fit_are_waited_for(short: Path) -> None:
    async with open_inside(short) as inside:
        script = "stty -echo -onlcr; seq 50; printf half; read x; echo ' of 7'; read x"
        spawned = await inside.spawn(["sh", "-c", script])
        await inside.until(spawned["id"], b"half")
        line = await inside.line()
        reply = await line.call("agent.output", agent_id=spawned["id"], filter="7$")
        assert [one["text"] for one in reply["lines"]] == ["7", "17", "27", "37", "47"]
        assert (reply["has_more"], reply["data"]) == (False, "")
        waiting = asyncio.create_task(
            line.call("agent.output", agent_id=spawned["id"], filter="7$", offset=reply["next_offset"], wait=PATIENCE)
        )
        while not inside.agent(spawned["id"]).log.followers:
            await inside.call("system.health")
        inside.agent(spawned["id"]).body.keys.type(b"\n")  # type: ignore[union-attr]
        found = await waiting
        assert [one["text"] for one in found["lines"]] == ["half of 7"]
        assert found["lines"][0]["offset"] == reply["next_offset"]


async def test_a_filter_goes_through_more_than_one_piece(short: Path) -> None:
    async with open_inside(short) as inside:
        agent = await said(inside, "seq 20000")
        offset, found = 0, []
        while True:
            reply = await inside.call("agent.output", agent_id=agent, filter="77$", offset=offset, limit=10_000)
            found += [int(one["text"]) for one in reply["lines"]]
            if not reply["has_more"]:
                break
            offset = reply["next_offset"]
        assert found == list(range(77, 20_001, 100))


async def test_what_is_gone_is_told_first(short: Path) -> None:
    async with open_inside(short) as inside:
        agent = await said(inside, "seq 100")
        held = await inside.daemon.agents.find(agent)
        held.log.drop(100)
        for begin in ({"offset": 7}, {}, {"tail": 1000}, {"since": "2001-01-01T00:00:00Z"}):
            reply = await inside.call("agent.output", agent_id=agent, **begin)
            assert reply["gap"] == {"begin": begin.get("offset", 0), "end": 100, "reason": held.log.begin_reason}
            assert (reply["offset"], reply["next_offset"]) == (100, 292)
        assert (await inside.call("agent.output", agent_id=agent, tail=3))["gap"] is None
        found = await inside.call("agent.output", agent_id=agent, offset=7, filter="0$")
        assert found["gap"]["end"] == 100
        assert [one["text"] for one in found["lines"]] == ["40", "50", "60", "70", "80", "90", "100"]


async def test_who_waits_is_told_of_a_gap(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "printf 0123456789; read x"])
        await inside.until(spawned["id"], b"9")
        log = inside.agent(spawned["id"]).log
        line = await inside.line()
        waiting = asyncio.create_task(line.call("agent.output", agent_id=spawned["id"], offset=10, wait=PATIENCE))
        while not log.followers:
            await inside.call("system.health")
        log.lose(5)
        log.end_gap()
        reply = await waiting
        assert (reply["gap"]["begin"], reply["gap"]["end"], reply["next_offset"]) == (10, 15, 15)


async def test_contradictions_are_refused(short: Path) -> None:
    async with open_inside(short) as inside:
        agent = await said(inside, "echo one")
        with pytest.raises(InvalidParams, match="one of offset, tail and since"):
            await inside.call("agent.output", agent_id=agent, offset=0, tail=1)
        with pytest.raises(InvalidParams, match="exclude each other"):
            await inside.call("agent.output", agent_id=agent, filter="x", times=True)
        with pytest.raises(InvalidParams, match="missing"):
            await inside.call("agent.output", agent_id=agent, filter="(")
        with pytest.raises(NotHere, match="one stream"):
            await inside.call("agent.output", agent_id=agent, stream="stderr")


async def test_streams_of_who_has_no_terminal(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "echo out; echo error >&2"], tty=False)
        await inside.ended(spawned["id"])
        assert text(await inside.call("agent.output", agent_id=spawned["id"])) == "out\n"
        assert text(await inside.call("agent.output", agent_id=spawned["id"], stream="stderr")) == "error\n"
        with pytest.raises(NotHere, match="nobody saw when"):
            await inside.call("agent.output", agent_id=spawned["id"], since="2001-01-01T00:00:00Z")
        assert len((await inside.call("agent.output", agent_id=spawned["id"], times=True))["times"]) == 1
