"""One command reaches many agents, and each has a result of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Conflict, InvalidParams, OutcomeUnknown
from descartes_core.ids import new_id
from descartes_daemon.unit import Unit
from tests.support.inside import Inside, open_inside
from tests.support.programs import agent
from tests.support.rows import NOW

pytestmark = pytest.mark.anyio


async def some(inside: Inside, count: int, program: str = "silent") -> list[str]:
    return [(await inside.spawn(agent(program), name=f"{program}-{n}"))["id"] for n in range(count)]


def codes(reply: dict[str, Any]) -> list[str | None]:
    return [result["code"] for result in reply["results"]]


def states(reply: dict[str, Any]) -> list[str | None]:
    return [result["status"] for result in reply["results"]]


async def test_all_are_reached_by_name_or_id_and_told_in_the_order_asked(short: Path) -> None:
    async with open_inside(short) as inside:
        ids = await some(inside, 3)
        asked = ["silent-2", ids[0], ids[1][:8]]
        reply = await inside.call("agent.batch", agent_ids=asked, command="pause")
        assert [result["agent_id"] for result in reply["results"]] == asked
        assert (reply["success"], reply["successful"], reply["failed"]) == (True, 3, 0)
        assert states(reply) == ["paused"] * 3
        assert states(await inside.call("agent.batch", agent_ids=ids, command="resume")) == ["running"] * 3
        assert states(await inside.call("agent.batch", agent_ids=ids, command="kill")) == ["terminated"] * 3


async def test_a_bad_one_fails_alone(short: Path) -> None:
    async with open_inside(short) as inside:
        ids = await some(inside, 2)
        reply = await inside.call("agent.batch", agent_ids=[ids[0], "nobody", ids[1]], command="stop")
        assert codes(reply) == [None, "agent_not_found", None]
        assert states(reply) == ["terminated", None, "terminated"]
        assert (reply["success"], reply["successful"], reply["failed"]) == (False, 2, 1)


async def test_none_waits_for_anothers_grace(short: Path) -> None:
    """Nine deaf ones, half a second of grace each: one after the other would take longer than is waited for."""
    async with open_inside(short) as inside:
        ids = await some(inside, 9, "deaf")
        for identity in ids:
            await inside.until(identity, b"ready")
        async with asyncio.timeout(4):
            reply = await inside.call("agent.batch", agent_ids=ids, command="stop", grace=0.5)
        assert states(reply) == ["terminated"] * 9


async def test_with_fail_fast_nothing_is_done_after_a_failure(short: Path) -> None:
    async with open_inside(short) as inside:
        ids = await some(inside, 2)
        asked = [ids[0], "nobody", ids[1]]
        reply = await inside.call("agent.batch", agent_ids=asked, command="pause", fail_fast=True)
        assert codes(reply) == [None, "agent_not_found", "refused"]
        assert reply["results"][2]["error"] == "not tried: it failed for nobody"
        assert inside.agent(ids[1]).row.state == "running"


async def test_a_signal_reaches_each(short: Path) -> None:
    async with open_inside(short) as inside:
        ids = await some(inside, 2)
        assert (await inside.call("agent.batch", agent_ids=ids, command="signal", signal="KILL"))["success"]
        assert [(await inside.ended(identity))["signal"] for identity in ids] == ["SIGKILL"] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": "signal"},
        {"command": "kill", "signal": "INT"},
        {"command": "pause", "grace": 1.0},
        {"command": "spawn"},
        {"command": "kill", "agent_ids": []},
        {"command": "kill", "agent_ids": ["x"] * 1001},
    ],
)
async def test_what_does_not_fit_is_refused_as_a_whole(short: Path, wrong: dict[str, Any]) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(InvalidParams):
            await inside.call("agent.batch", **({"agent_ids": ["x"]} | wrong))


async def test_a_repeat_gets_the_first_answer(short: Path) -> None:
    async with open_inside(short) as inside:
        ids = await some(inside, 2)
        asked = {"agent_ids": [*ids, "nobody"], "command": "pause", "request_id": new_id()}
        first = await inside.call("agent.batch", **asked)
        assert codes(first) == [None, None, "agent_not_found"]
        assert await inside.call("agent.batch", **asked) == first
        with pytest.raises(Conflict):
            await inside.call("agent.pause", agent_id=ids[0], request_id=asked["request_id"])


async def test_a_repeat_of_one_that_was_cut_short_does_the_rest(short: Path) -> None:
    async with open_inside(short) as inside:
        ids = await some(inside, 2)
        request_id = new_id()
        await inside.daemon.store.commit(Unit().accept(request_id, "agent.batch", NOW))
        await inside.call("agent.pause", agent_id=ids[0])
        reply = await inside.call("agent.batch", agent_ids=ids, command="pause", request_id=request_id)
        assert (reply["success"], states(reply)) == (True, ["paused"] * 2)


async def test_a_repeat_of_signals_that_were_cut_short_is_refused(short: Path) -> None:
    async with open_inside(short) as inside:
        ids = await some(inside, 1)
        request_id = new_id()
        await inside.daemon.store.commit(Unit().accept(request_id, "agent.batch", NOW))
        with pytest.raises(OutcomeUnknown):
            await inside.call("agent.batch", agent_ids=ids, command="signal", signal="INT", request_id=request_id)
