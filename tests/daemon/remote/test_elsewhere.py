"""An agent on another machine is as one here: started, heard, typed to, ended."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.errors import DescartesError, Refused, SpawnFailed
from tests.support.bare_hub import BareHub
from tests.support.programs import agent
from tests.support.two_machines import RunnerProcess, hub_and_runner, joined_by

pytestmark = pytest.mark.anyio

Machine = tuple[BareHub, RunnerProcess]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Give a hub with a runner, for all of these tests."""
    with (
        tempfile.TemporaryDirectory(prefix="d", dir="/tmp") as directory,
        hub_and_runner(Path(directory)) as machine,
    ):
        yield machine


async def test_a_program_runs_there_and_all_that_it_says_is_here(short: Path, machine: Machine) -> None:
    async with joined_by(short, *machine) as both:
        inside = both.inside
        spawned = await both.spawn(["sh", "-c", "echo hi; pwd; exit 7"], name="greeter", extra_env={"A": "b"})
        assert (spawned["status"], spawned["host"], spawned["name"]) == ("running", "big", "greeter")
        said = await inside.output(spawned["id"], follow=True)
        assert said == f"hi\r\n{both.runner.directory}/work/work/{spawned['id']}\r\n".encode()
        ended = await inside.ended(spawned["id"])
        assert (ended["status"], ended["exit_code"], ended["host"]) == ("failed", 7, "big")
        await inside.gone(spawned["id"])
        detail = (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]
        assert detail["cwd"] == f"{both.runner.directory}/work/work/{spawned['id']}"


async def test_a_flood_is_the_same_here(short: Path, machine: Machine) -> None:
    async with joined_by(short, *machine) as both:
        script = "import sys\nfor n in range(200000): sys.stdout.write(f'{n} ' * 10 + '\\n')"
        spawned = await both.spawn(["python3", "-c", script], tty=False)
        said = await both.inside.output(spawned["id"], follow=True)
        wanted = "".join(f"{n} " * 10 + "\n" for n in range(200_000)).encode()
        assert hashlib.sha256(said).digest() == hashlib.sha256(wanted).digest()
        assert (await both.inside.ended(spawned["id"]))["exit_code"] == 0


async def test_without_a_terminal_there_are_two_streams(short: Path, machine: Machine) -> None:
    async with joined_by(short, *machine) as both:
        spawned = await both.spawn(["sh", "-c", "echo out; echo err >&2; cat; exit 3"], tty=False)
        await both.inside.call("agent.write", agent_id=spawned["id"], text="typed\n", eof=True)
        assert (await both.inside.ended(spawned["id"]))["exit_code"] == 3
        assert await both.inside.output(spawned["id"], follow=True) == b"out\ntyped\n"
        errors = await both.inside.call("agent.output", agent_id=spawned["id"], stream="stderr")
        assert errors["size"] == 4


async def test_it_is_typed_to_and_shown_and_given_another_size(short: Path, machine: Machine) -> None:
    async with joined_by(short, *machine) as both:
        inside = both.inside
        spawned = await both.spawn(["sh"])
        await inside.call("agent.resize", agent_id=spawned["id"], rows=40, cols=100)
        await inside.call("agent.write", agent_id=spawned["id"], text="stty size; echo $((6*7))\n")
        await inside.until(spawned["id"], b"40 100\r\n42\r\n")
        screen = await inside.call("agent.screen", agent_id=spawned["id"])
        assert "42" in str(screen)
        line = await inside.line()
        await line.call("agent.attach", agent_id=spawned["id"], rows=24, cols=80, mode="rw")
        line.type(b"exit 5\n")
        assert (await line.frame("took"))["bytes"] == 7
        assert (await line.frame("exit"))["exit_code"] == 5


async def test_stop_kill_pause_and_signals_reach_its_tree(short: Path, machine: Machine) -> None:
    async with joined_by(short, *machine) as both:
        inside = both.inside
        one, two = await both.spawn(agent("forker")), await both.spawn(agent("forker", "--deaf"))
        for spawned in (one, two):
            await inside.until(spawned["id"], b"ready")
        await inside.call("agent.pause", agent_id=one["id"])
        await inside.call("agent.resume", agent_id=one["id"])
        stopped = (await inside.call("agent.stop", agent_id=one["id"]))["agent"]
        assert (stopped["status"], stopped["signal"]) == ("terminated", "SIGTERM")
        killed = (await inside.call("agent.kill", agent_id=two["id"]))["agent"]
        assert (killed["status"], killed["signal"]) == ("terminated", "SIGKILL")
        pids = [int(line.split()[1]) for line in (await inside.output(two["id"])).decode().splitlines() if line]
        assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


async def test_what_it_takes_is_looked_up_there(short: Path, machine: Machine) -> None:
    async with joined_by(short, *machine) as both:
        spawned = await both.spawn(agent("echoer"), limits={"pids": 50})
        await both.inside.until(spawned["id"], b"ready")
        (listed,) = (await both.inside.call("agent.list", usage=True))["agents"]
        assert listed["usage"]["processes"] >= 1
        assert listed["usage"]["memory_bytes"] > 1_000_000
        assert listed["limited_by"] in ("daemon", "cgroup")


async def test_its_environment_is_told_by_its_runner(short: Path, machine: Machine) -> None:
    async with joined_by(short, *machine) as both:
        spawned = await both.spawn(agent("echoer"), extra_env={"MODE": "fast", "API_KEY": "sesame"})
        held = both.inside.agent(spawned["id"])
        found = await both.inside.daemon.effects.side(held).environment(held)
        assert (found["MODE"], found["API_KEY"]) == ("fast", "***")
        await both.inside.call("agent.kill", agent_id=spawned["id"])
        with pytest.raises(DescartesError, match="does not run"):
            await both.inside.daemon.effects.side(held).environment(held)


async def test_what_cannot_run_there_is_told_as_here(short: Path, machine: Machine) -> None:
    async with joined_by(short, *machine) as both:
        with pytest.raises(SpawnFailed, match="/no/such"):
            await both.spawn(["/no/such"], name="nobody")
        listed = (await both.inside.call("agent.list", all=True))["agents"]
        assert [(one["name"], one["status"]) for one in listed] == [("nobody", "failed")]
        with pytest.raises(Refused, match="small"):
            await both.inside.spawn(["true"], on="small")


async def test_several_are_done_the_same_to_here_and_there(short: Path, machine: Machine) -> None:
    async with joined_by(short, *machine) as both:
        there, here = await both.spawn(agent("silent")), await both.inside.spawn(agent("silent"))
        ids = [there["id"], "nobody", here["id"]]
        reply = await both.inside.call("agent.batch", agent_ids=ids, command="kill")
        assert [one["success"] for one in reply["results"]] == [True, False, True]
        assert [one["status"] for one in reply["results"]] == ["terminated", None, "terminated"]
        await asyncio.gather(both.inside.gone(there["id"]), both.inside.gone(here["id"]))
