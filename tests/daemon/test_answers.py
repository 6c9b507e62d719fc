"""What is there is told as the table of methods promises, and the end comes in order."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from descartes_core.errors import AgentsAlive
from descartes_core.ids import new_id
from descartes_core.messages.agents import AgentInfo
from descartes_local.processes import is_alive, process_of
from tests.support.inside import open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def test_the_living_are_listed_oldest_first_and_all_where_asked(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = [await inside.spawn(agent("silent")) for _ in range(3)]
        ended = await inside.spawn(["true"])
        await inside.ended(ended["id"])
        await inside.gone(ended["id"])
        living = (await inside.call("agent.list"))["agents"]
        assert [one["id"] for one in living] == [one["id"] for one in spawned]
        everybody = (await inside.call("agent.list", all=True))["agents"]
        assert [one["id"] for one in everybody] == [*(one["id"] for one in spawned), ended["id"]]
        assert everybody[3]["status"] == "completed"


async def test_an_ended_agent_is_told_alike_after_a_restart(short: Path) -> None:
    identity = new_id()
    async with open_inside(short, identity=identity) as inside:
        spawned = await inside.spawn(["sh", "-c", "echo bye; exit 3"])
        await inside.ended(spawned["id"])
        await inside.gone(spawned["id"])
        before = (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]
    async with open_inside(short, identity=identity) as inside:
        assert (await inside.call("agent.get", agent_id=spawned["id"]))["agent"] == before
        assert (before["exit_code"], before["output_bytes"], before["recording"]) == (3, 5, "none")


async def test_a_history_is_listed_alike_after_a_restart(short: Path) -> None:
    identity = new_id()
    async with open_inside(short, identity=identity) as inside:
        commands = (["sh", "-c", "echo bye; exit 3"], ["sh", "-c", "kill -9 $$"], ["env", "API_TOKEN=hidden", "true"])
        streams = await inside.spawn(["sh", "-c", "echo bye; echo why >&2"], tty=False)
        spawned = [streams, *[await inside.spawn(command) for command in commands]]
        for one in spawned:
            await inside.ended(one["id"])
            await inside.gone(one["id"])
        details = [(await inside.call("agent.get", agent_id=one["id"]))["agent"] for one in spawned]
    async with open_inside(short, identity=identity) as inside:
        briefly = (await inside.call("agent.list", all=True))["agents"]
        listed = (await inside.call("agent.list", all=True, usage=True))["agents"]
        assert briefly == [{key: value for key, value in one.items() if key != "usage"} for one in listed]
        assert listed == [{key: detail[key] for key in AgentInfo.model_fields} for detail in details]
        assert [one["output_bytes"] for one in listed[:2]] == [8, 5]
        assert [one["signal"] for one in listed] == [None, None, "SIGKILL", None]
        assert listed[3]["command"][1] == "API_TOKEN=***"


async def test_the_session_and_its_health_are_told(short: Path) -> None:
    async with open_inside(short) as inside:
        await inside.spawn(agent("silent"))
        session = (await inside.call("session.info"))["session"]
        assert (session["path"], session["agents"], session["pid"]) == (f"{short}/shop", 1, os.getpid())
        health = await inside.call("system.health")
        assert (health["status"], health["instance_id"]) == ("healthy", session["instance_id"])


async def test_the_end_is_refused_while_agents_live(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("silent"), name="fixer")
        with pytest.raises(AgentsAlive, match=r"agents are alive \(fixer\)"):
            await inside.call("system.shutdown")
        assert not inside.daemon.stop.is_set()
        await inside.ended((await inside.spawn(["true"]))["id"])
        assert await inside.call("system.shutdown", force=True) == {"ended": [spawned["id"]]}
        assert inside.daemon.stop.is_set()


async def test_a_forced_end_hastens_a_patient_stop(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("deaf"), grace=3600.0)
        await inside.until(spawned["id"], b"ready")
        stopping = asyncio.create_task(inside.call("agent.stop", agent_id=spawned["id"]))
        while inside.agent(spawned["id"]).row.state != "stopping":
            await inside.call("system.stats")
        async with asyncio.timeout(10):
            await inside.call("system.shutdown", force=True, grace=0.2)
        assert (await stopping)["agent"]["status"] == "terminated"


async def test_a_forced_end_takes_along_what_ended_agents_left(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("forker", "--deaf", "--code", "0"), grace=3600.0)
        await inside.ended(spawned["id"])
        lines = [line.split() for line in (await inside.output(spawned["id"])).decode().splitlines()]
        left = [process for kind, pid in lines if kind != "ready" and (process := process_of(int(pid)))]
        assert len(left) == 3
        async with asyncio.timeout(10):
            assert await inside.call("system.shutdown", force=True, grace=0.2) == {"ended": []}
        assert not any(map(is_alive, left))
