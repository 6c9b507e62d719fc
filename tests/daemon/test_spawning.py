"""Agents are started in the order in which nothing can be lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import AlreadyExists, InvalidParams, LimitReached, NameTaken, Refused, SpawnFailed
from descartes_core.ids import new_id
from descartes_local.processes import children_of_self
from tests.support.inside import PATIENCE, Inside, open_inside
from tests.support.leftovers import open_descriptors
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def all_agents(inside: Inside) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await inside.call("agent.list", all=True))["agents"]
    return listed


async def test_an_agent_runs_in_its_callers_surroundings(short: Path) -> None:
    async with open_inside(short) as inside:
        command = ["sh", "-c", "echo $WHO $MORE $DESCARTES_AGENT_ID; pwd; umask; stty size; exit 3"]
        surroundings = {"env": {"PATH": os.environ["PATH"], "WHO": "me"}, "extra_env": {"MORE": "too"}, "umask": 0o27}
        spawned = await inside.spawn(command, cwd="/usr", rows=33, cols=99, **surroundings)
        assert (await inside.ended(spawned["id"]))["exit_code"] == 3
        said = (await inside.output(spawned["id"])).decode().splitlines()
        assert said == [f"me too {spawned['id']}", "/usr", "0027", "33 99"]


async def test_where_nothing_is_said_it_runs_in_the_workspace(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["pwd"])
        await inside.ended(spawned["id"])
        assert (await inside.output(spawned["id"])).decode() == f"{short}/shop\r\n"
        assert spawned["name"] == f"pwd-{spawned['id'][:4]}"


async def test_fifty_spawns_at_once_all_run(short: Path) -> None:
    """Beyond descriptor 100 helpers once mistook their mark file for their socket."""
    async with open_inside(short) as inside:
        spawned = await asyncio.gather(*(inside.spawn(["sh", "-c", f"echo {one}; exit {one}"]) for one in range(50)))
        ended = [await inside.ended(one["id"]) for one in spawned]
        assert [one["exit_code"] for one in ended] == list(range(50))
        assert [await inside.output(one["id"]) for one in spawned] == [f"{one}\r\n".encode() for one in range(50)]


async def test_agents_without_a_name_are_told_apart(short: Path) -> None:
    """Among fifty, two ids begin with the same four characters once in fifty times: the second was refused then."""
    async with open_inside(short) as inside:
        line = await inside.line()
        ids = [f"0a0b{number:04x}-0000-4000-8000-000000000000" for number in (1, 2)]
        for identity in [*ids, "0a0b0001-0000-4000-8000-000000000001"]:
            await line.call("agent.spawn", agent_id=identity, command=["sleep", "60"])
        names = [agent["name"] for agent in (await line.call("agent.list"))["agents"]]
        assert names == ["sleep-0a0b", "sleep-0a0b0002", "sleep-0a0b0001"]
        await line.call("system.shutdown", force=True)


@pytest.mark.parametrize("command", ["/no/such", "/usr", "no-such-program"])
async def test_what_cannot_run_is_failed_with_its_reason_and_leaves_nothing(short: Path, command: str) -> None:
    async with open_inside(short) as inside:
        line = await inside.line()
        before = open_descriptors()
        with pytest.raises(SpawnFailed, match=f"cannot run '{command}': "):
            await line.call("agent.spawn", command=[command])
        (failed,) = (await line.call("agent.list", all=True))["agents"]
        await inside.gone(failed["id"])
        assert (failed["status"], failed["exit_code"], failed["started_at"]) == ("failed", None, None)
        assert failed["ended_at"] is not None
        async with asyncio.timeout(PATIENCE):  # its helper told why, and ends a moment later
            while open_descriptors() != before or children_of_self():
                await line.call("system.stats")
        assert inside.daemon.agents.present == {}


async def test_a_failure_keeps_the_name_free(short: Path) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(SpawnFailed):
            await inside.spawn(["/no/such"], name="fixer")
        assert (await inside.spawn(["true"], name="fixer"))["name"] == "fixer"


async def test_a_living_name_is_taken(short: Path) -> None:
    async with open_inside(short) as inside:
        first = await inside.spawn(agent("silent"), name="fixer")
        with pytest.raises(NameTaken, match="fixer"):
            await inside.spawn(["true"], name="fixer")
        await inside.call("agent.kill", agent_id=first["id"])
        await inside.spawn(["true"], name="fixer")
        assert len(await all_agents(inside)) == 2


async def test_two_spawns_of_one_name_at_once_start_one(short: Path) -> None:
    async with open_inside(short) as inside:
        outcomes = await asyncio.gather(
            *(inside.spawn(agent("silent"), name="fixer") for _ in range(2)), return_exceptions=True
        )
        assert [type(one) for one in outcomes if isinstance(one, Exception)] == [NameTaken]
        assert len(await all_agents(inside)) == 1


async def test_the_id_of_an_ended_agent_is_not_used_again(short: Path) -> None:
    """Its log was once opened for the newcomer, which then stayed in the list for ever, neither alive nor ended."""
    async with open_inside(short) as inside:
        first = await inside.spawn(["echo", "first"], agent_id=new_id())
        await inside.ended(first["id"])
        await inside.gone(first["id"])
        with pytest.raises(AlreadyExists):
            await inside.spawn(["echo", "second"], agent_id=first["id"])
        assert [one["status"] for one in await all_agents(inside)] == ["completed"]
        assert await inside.output(first["id"]) == b"first\r\n"
        assert inside.daemon.agents.present == {}


async def test_an_intent_that_cannot_be_stored_starts_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        database = sqlite3.connect(inside.daemon.store.path)
        database.execute("CREATE TRIGGER no_more BEFORE INSERT ON agents BEGIN SELECT RAISE(ABORT, 'no'); END")
        database.commit()
        identity = new_id()
        with pytest.raises(Exception, match="the store refused it: no"):
            await inside.spawn(["touch", str(short / "ran")], agent_id=identity)
        database.execute("DROP TRIGGER no_more")
        database.commit()
        database.close()
        assert inside.daemon.agents.present == {}
        await inside.spawn(["true"], agent_id=identity)
        await inside.ended(identity)
        assert not (short / "ran").exists()


async def test_who_is_stopped_before_it_runs_is_terminated(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = new_id()
        spawning = asyncio.create_task(inside.spawn(agent("deaf"), agent_id=identity))
        while identity not in inside.daemon.agents.present:
            await inside.call("system.stats")
        killed = (await inside.call("agent.kill", agent_id=identity))["agent"]
        assert killed["status"] == "terminated"
        await asyncio.gather(spawning, return_exceptions=True)
        assert [one["status"] for one in await all_agents(inside)] == ["terminated"]


async def test_the_limit_of_living_agents_holds(short: Path) -> None:
    (short / "home").mkdir()
    (short / "home" / "config.toml").write_text("[agents]\nmax_agents = 1\n")
    async with open_inside(short) as inside:
        first = await inside.spawn(agent("silent"))
        with pytest.raises(LimitReached, match="max_agents"):
            await inside.spawn(["true"])
        await inside.call("agent.kill", agent_id=first["id"])
        await inside.spawn(["true"])


async def test_a_daemon_that_ends_starts_nothing_more(short: Path) -> None:
    async with open_inside(short) as inside:
        await inside.call("system.shutdown")
        with pytest.raises(Refused, match="ending"):
            await inside.spawn(["true"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": [""]},
        {"command": ["a\0b"]},
        {"command": ["true"], "name": "a/b"},
        {"command": ["true"], "name": "a\nb"},
        {"command": ["true"], "name": "x" * 101},
        {"command": ["true"], "name": ""},
        {"command": ["true"], "env": {"A=B": "c"}},
        {"command": ["true"], "extra_env": {"": "c"}},
        {"command": ["true"], "stop_signal": "NONSENSE"},
        {"command": ["true"], "agent_id": "../../etc"},
        {"command": ["true"], "rows": 0},
        {"command": ["true"], "umask": -1},
        {"command": "true"},
    ],
)
async def test_nonsense_starts_nothing(short: Path, wrong: dict[str, Any]) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(InvalidParams):
            await inside.call("agent.spawn", **wrong)
        assert await all_agents(inside) == []


async def test_names_may_be_of_any_script(short: Path) -> None:
    async with open_inside(short) as inside:
        assert (await inside.spawn(["true"], name="größe 🦊"))["name"] == "größe 🦊"


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"command": ["true", *"x" * 5]}, "agents.max_arguments"),
        ({"command": ["true"], "name": "x" * 9}, "agents.max_name"),
        ({"command": ["true"], "env": {"A": "x" * 500, "B": "x" * 500}}, "agents.max_environment"),
    ],
)
async def test_what_is_larger_than_configured_starts_nothing(short: Path, wrong: dict[str, Any], key: str) -> None:
    (short / "home").mkdir()
    limits = "max_arguments = 5\nmax_name = 8\nmax_environment = 1024"
    (short / "home" / "config.toml").write_text(f"[agents]\n{limits}\n")
    async with open_inside(short) as inside:
        with pytest.raises(InvalidParams, match=f"are too many: [0-9]+ are allowed .{key}"):
            await inside.spawn(**{"env": {"PATH": os.environ["PATH"]}, **wrong})
        assert await all_agents(inside) == []
        assert (await inside.spawn(["true"], env={"PATH": "/bin:/usr/bin"}))["name"].startswith("true-")
