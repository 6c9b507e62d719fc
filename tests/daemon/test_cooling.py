"""What is old is compressed when gc asks, and now and then by itself; nobody who reads notices."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from descartes_core.ids import new_id
from descartes_daemon import cooling
from tests.daemon.test_dropping import configure, finished, lines
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio


async def collect(inside: Inside, **how: Any) -> Any:
    return await inside.call("session.collect", **{"compress_older_than": 0.0, **how})


async def text(inside: Inside, agent: str, **where: Any) -> bytes:
    """Return what an agent said, piece by piece."""
    said, offset = b"", where.pop("offset", 0)
    while True:
        reply = await inside.call("agent.output", agent_id=agent, offset=offset, limit=50_000, **where)
        assert reply["gap"] is None
        said, offset = said + base64.b64decode(reply["data"]), reply["next_offset"]
        if not reply["has_more"]:
            return said


def files(inside: Inside, agent: str) -> set[str]:
    return {path.name for path in (inside.daemon.agents.place.agent(agent)).iterdir()}


async def rested(inside: Inside) -> None:
    """Wait until nothing is compressed any more."""
    async with asyncio.timeout(10):
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "compress what is old"))


async def test_gc_compresses_what_is_old(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(lines(20_000))
        agent = spawned["id"]
        await finished(inside, spawned)
        before = await text(inside, agent)
        planned = await collect(inside, dry_run=True)
        assert [(one["agent_id"], one["compressed_bytes"]) for one in planned["compressed"]] == [(agent, None)]
        assert "output.cold" not in files(inside, agent)
        (done,) = (await collect(inside))["compressed"]
        assert done["bytes"] == planned["compressed"][0]["bytes"] == len(before) == 2_000_000
        assert 0 < done["compressed_bytes"] < 200_000
        assert "output.cold" in files(inside, agent)
        assert await text(inside, agent) == before
        assert await text(inside, agent, offset=1_234_567) == before[1_234_567:]
        tail = await inside.call("agent.output", agent_id=agent, tail=2)
        assert base64.b64decode(tail["data"]) == before[-200:]
        found = await inside.call("agent.output", agent_id=agent, offset=1_500_000, limit=1_000_000, filter="^0+19999$")
        assert [line["offset"] for line in found["lines"]] == [1_999_800]
        screen = await inside.call("agent.screen", agent_id=agent)
        assert "20000" in str(screen)
        (listed,) = (await inside.call("agent.list", all=True))["agents"]
        assert listed["output_bytes"] == 2_000_000
        assert (await collect(inside))["compressed"] == []


async def test_both_streams_of_a_program_are_compressed(short: Path) -> None:
    program = ["sh", "-c", "seq -f %099.0f 5000; seq -f %0199.0f 5000 >&2"]
    async with open_inside(short) as inside:
        spawned = await inside.spawn(program, tty=False)
        agent = spawned["id"]
        await finished(inside, spawned)
        before = [await text(inside, agent), await text(inside, agent, stream="stderr")]
        (done,) = (await collect(inside))["compressed"]
        assert done["bytes"] == sum(map(len, before)) == 1_500_000
        assert {"output.cold", "errors.cold"} < files(inside, agent)
        assert [await text(inside, agent), await text(inside, agent, stream="stderr")] == before


async def test_who_lives_said_little_or_ended_lately_stays(short: Path) -> None:
    async with open_inside(short) as inside:
        living = await inside.spawn(["sh", "-c", "seq -f %099.0f 5000; exec sleep 1000"])
        little = await inside.spawn(["echo", "little"])
        lately = await inside.spawn(lines(5000))
        await finished(inside, little)
        await finished(inside, lately)
        assert (await inside.call("session.collect"))["compressed"] == []
        done = await collect(inside)
        assert [one["agent_id"] for one in done["compressed"]] == [lately["id"]]
        assert "output.cold" not in files(inside, living["id"]) | files(inside, little["id"])


async def test_what_is_removed_is_not_compressed_first(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(lines(5000))
        await finished(inside, spawned)
        for dry_run in (True, False):
            done = await collect(inside, older_than=0.0, dry_run=dry_run)
            assert (len(done["agents"]), done["compressed"]) == (1, [])


async def test_it_is_looked_for_when_a_daemon_starts(short: Path) -> None:
    configure(short, compress_after_days=0)
    identity = new_id()
    async with open_inside(short, identity=identity) as inside:
        spawned = await inside.spawn(lines(5000))
        await finished(inside, spawned)
        before = await text(inside, spawned["id"])
    async with open_inside(short, identity=identity) as inside:
        inside.daemon.cooling.wake()
        await rested(inside)
        assert "output.cold" in files(inside, spawned["id"])
        assert await text(inside, spawned["id"]) == before


async def test_it_is_looked_for_when_an_agent_ends_but_not_each_time(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(short, compress_after_days=0)
    async with open_inside(short) as inside:
        inside.daemon.cooling.wake()
        await rested(inside)
        first = await inside.spawn(lines(5000))
        await finished(inside, first)
        await rested(inside)
        assert "output.cold" not in files(inside, first["id"])
        monkeypatch.setattr(cooling, "_EVERY", 0.0)
        second = await inside.spawn(["true"])
        await finished(inside, second)
        await rested(inside)
        assert "output.cold" in files(inside, first["id"])


async def test_a_full_disk_leaves_it_as_it_was(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(lines(5000))
        await finished(inside, spawned)
        before = await text(inside, spawned["id"])
        place = inside.daemon.agents.place.agent(spawned["id"]) / "output.cold.new"
        place.mkdir()  # stands for every way in which it cannot be written
        (place / "x").touch()
        assert (await collect(inside))["compressed"] == []
        assert await text(inside, spawned["id"]) == before


async def test_the_session_s_cap_counts_what_compressed_logs_take(short: Path) -> None:
    configure(short, session_cap=4 * 1024 * 1024)
    async with open_inside(short) as inside:
        first = await inside.spawn(lines(30_000))
        await finished(inside, first)
        (done,) = (await collect(inside))["compressed"]
        assert inside.daemon.caps.kept == pytest.approx(done["compressed_bytes"], abs=20_000)
        second = await inside.spawn(lines(30_000))
        await finished(inside, second)
        assert len(await text(inside, first["id"])) == len(await text(inside, second["id"])) == 3_000_000
        third = await inside.spawn(lines(30_000))
        await finished(inside, third)
        # It takes less than what is dropped in one step: another one gives first.
        assert (await inside.call("agent.output", agent_id=second["id"], offset=0))["gap"] is not None
        assert len(await text(inside, first["id"])) == 3_000_000
