"""What a daemon answers who searches."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from descartes_core.errors import AgentNotFound, InvalidParams, Refused
from descartes_core.messages.search import Query
from descartes_daemon.search.index_opening import NAME
from descartes_local.processes import send_signal
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio


async def spawn(inside: Inside, script: str, name: str) -> str:
    agent = await inside.call(
        "agent.spawn",
        name=name,
        command=["sh", "-c", script],
        cwd="/tmp",
        env={"PATH": os.environ["PATH"]},
        umask=0o022,
    )
    await inside.call("agent.wait", agent_id=name, timeout=10.0)
    return str(agent["agent"]["id"])


async def test_what_an_agent_said_a_moment_ago_is_found(short: Path) -> None:
    async with open_inside(short) as inside:
        fixer = await spawn(inside, "echo a deadlock in worker 7; echo and TOKEN=abcdefgh12345678", "fixer")
        other = await spawn(inside, "echo no deadlock here", "other")
        reply = await inside.call("search.query", query="deadlock", kinds=["output"], wait=10.0)
        assert sorted(result["agent_id"] for result in reply["results"]) == sorted([fixer, other])
        assert reply["behind"] == 0
        assert reply["complete"]
        asked = {"query": '"worker 7" -here', "agent_id": "fixer", "kinds": ["output"]}
        (result,) = (await inside.call("search.query", **asked, wait=10.0))["results"]
        assert result["snippet"] == "a deadlock in worker 7"
        output = await inside.call("agent.output", agent_id=result["agent_id"], offset=result["offset"])
        assert output["offset"] == result["offset"] == 0
        (event,) = (
            await inside.call(
                "search.query", query='"status initializing"', kinds=["event"], agent_id="other", wait=10.0
            )
        )["results"]
        assert event["agent"] == "other"
        assert not (await inside.call("search.query", query="abcdefgh12345678", wait=10.0))["results"]


async def test_who_asks_for_nothing_or_for_nobody_is_told(short: Path) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(InvalidParams, match="no word"):
            await inside.call("search.query", query="-- *")
        with pytest.raises(InvalidParams, match="RFC 3339"):
            await inside.call("search.query", query="a", since="yesterday")
        with pytest.raises(AgentNotFound):
            await inside.call("search.query", query="a", agent_id="nobody")
        for hostile in (
            '"; DROP TABLE passages; --',
            "a" * 1000,
            "(" * 500 + "a",
            '"a NEAR/0 b"*',
            "text : a ^ b",
            "{a}",
        ):
            assert (await inside.call("search.query", query=hostile, wait=10.0))["results"] == []


async def test_a_torn_index_is_made_anew_by_a_search(short: Path) -> None:
    async with open_inside(short) as inside:
        await spawn(inside, "echo findable", "fixer")
        assert (await inside.call("search.query", query="findable", kinds=["output"], wait=10.0))["results"]
        path = inside.daemon.setup.home.session(inside.daemon.setup.record.id) / NAME
        for damage in (os.urandom(9000), b""):
            for end in ("-wal", "-shm"):
                path.with_name(f"{NAME}{end}").unlink(missing_ok=True)
            path.unlink()
            path.write_bytes(damage)
            reply = await inside.call("search.query", query="findable", kinds=["output"], wait=10.0)
            if not reply["results"]:
                reply = await inside.call("search.query", query="findable", kinds=["output"], wait=10.0)
            assert len(reply["results"]) == 1


async def test_rebuild_and_status_tell_what_there_is(short: Path) -> None:
    async with open_inside(short) as inside:
        await spawn(inside, "echo findable", "fixer")
        assert (await inside.call("search.status"))["behind"] > 0
        await inside.call("search.query", query="findable", wait=10.0)
        status = await inside.call("search.status")
        assert status["passages"] > 1
        assert status["behind"] == 0
        assert status["bytes"] > 0
        assert status["trouble"] is None
        assert (await inside.call("search.rebuild"))["running"]
        assert (await inside.call("search.query", query="findable", kinds=["output"], wait=10.0))["results"]


async def test_where_it_is_not_wanted_there_is_none(short: Path) -> None:
    (short / "home").mkdir(mode=0o700)
    (short / "home/config.toml").write_text("[search]\nenabled = false\n")
    async with open_inside(short) as inside:
        with pytest.raises(Refused, match=r"search\.enabled"):
            await inside.call("search.query", query="a")
        assert not (await inside.call("search.status"))["enabled"]


async def test_a_killed_indexer_is_no_harm_to_who_searches(short: Path) -> None:
    async with open_inside(short) as inside:
        await spawn(inside, "seq -f 'line %g of the flood' 200000", "loud")
        process = inside.daemon.rooms.search.open().bring_up_to_date()
        assert send_signal(process._process, signal.SIGKILL)
        await process.ended.wait()
        reply = await inside.call("search.query", query="line 199999", kinds=["output"], wait=30.0)
        assert [result["snippet"] for result in reply["results"]] == ["line 199999 of the flood"]


async def test_who_never_searches_pays_for_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        await spawn(inside, "seq 10000", "quiet")
        assert not inside.daemon.rooms.search.is_open
        assert inside.daemon.ahead._timer is None
        assert not (inside.daemon.setup.home.session(inside.daemon.setup.record.id) / NAME).exists()


async def test_much_output_is_indexed_before_anybody_asks(short: Path) -> None:
    async with open_inside(short) as inside:
        await spawn(inside, "yes this is a line of a flood | head -c 20000000", "loud")
        assert inside.daemon.ahead._timer is not None
        process = inside.daemon.rooms.search.open().bring_up_to_date(is_urgent=True)
        await process.ended.wait()
        status = await inside.call("search.status")
        assert status["behind"] < 100
        assert status["passages"] > 0


async def test_many_who_search_leave_threads_to_others(short: Path) -> None:
    """Each search waited for the one before in a thread: nobody else of the daemon had one meanwhile."""
    async with open_inside(short) as inside:
        room = inside.daemon.rooms.search.open()
        with room._looking._lock:
            asking = [asyncio.ensure_future(room.query(Query(query="a", wait=0.0))) for _ in range(40)]
            async with asyncio.timeout(10.0):
                await asyncio.to_thread(int)
        for one in asyncio.as_completed(asking):
            assert (await one)["results"] == []


async def test_a_process_that_fails_is_told(short: Path) -> None:
    async with open_inside(short) as inside:
        await spawn(inside, "seq -f 'line %g of the flood' 200000", "loud")
        process = inside.daemon.rooms.search.open().bring_up_to_date()
        assert send_signal(process._process, signal.SIGKILL)
        await process.ended.wait()
        assert "before it was done" in (await inside.call("search.status"))["trouble"]
        await inside.call("search.query", query="flood", wait=30.0)
        assert (await inside.call("search.status"))["trouble"] is None
