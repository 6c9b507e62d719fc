"""What happens to agents on other machines while nobody reaches these, and when they are back."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from descartes_core.bus import messages as m
from descartes_core.bus.link import LinkState
from descartes_core.errors import DeadlineOver, Unavailable
from descartes_core.ids import new_id
from descartes_local.processes import is_alive, process_of, wait_for_end
from tests.support.programs import agent
from tests.support.two_machines import TwoMachines, two_machines

pytestmark = pytest.mark.anyio

#: Of a hub that is soon missed.
QUICK = 0.2


#: What is told of an agent whose runner is there under another key.
REFUSED = "runner big answers under another key than the one this agent was started with"


async def lose(both: TwoMachines, identity: str) -> None:
    """Let the hub be gone until that is noticed."""
    both.hub.end()
    await both.until_state(identity, "lost")


async def find(both: TwoMachines) -> None:
    both.hub.begin()
    await both.until(lambda: both.bus.state is LinkState.CONNECTED and "big" in both.bus.peers)


async def causes(both: TwoMachines, identity: str) -> list[str]:
    return [str(move.cause) for move in await both.inside.daemon.store.transitions(identity)]


async def test_what_was_said_meanwhile_comes_when_the_hub_is_back(short: Path) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        spawned = await both.spawn(agent("echoer"))
        identity = spawned["id"]
        await both.inside.until(identity, b"ready")
        await lose(both, identity)
        told = (await both.inside.call("agent.get", agent_id=identity))["agent"]
        assert "no connection with the hub" in told["notice"]
        await find(both)
        await both.until_state(identity, "running")
        await both.inside.call("agent.write", agent_id=identity, text="still there\nexit 4\n")
        await both.inside.until(identity, b"still there")
        assert (await both.inside.ended(identity))["exit_code"] == 4
        assert await causes(both, identity) == ["spawned", "host_gone", "found", "ended_badly"]


async def test_a_hub_that_is_back_at_once_loses_nobody(short: Path) -> None:
    async with two_machines(short) as both:
        spawned = await both.spawn(["sh", "-c", "for i in $(seq 1 4000); do echo $i; done; read x; exit 2"])
        both.hub.end()
        await find(both)
        await both.inside.until(spawned["id"], b"4000")
        await both.inside.call("agent.write", agent_id=spawned["id"], text="\n")
        assert (await both.inside.ended(spawned["id"]))["exit_code"] == 2
        assert await causes(both, spawned["id"]) == ["spawned", "ended_badly"]
        said = await both.inside.output(spawned["id"])
        assert said.startswith("".join(f"{n}\r\n" for n in range(1, 4001)).encode())


@pytest.mark.parametrize(("verb", "number"), [("agent.stop", "SIGTERM"), ("agent.kill", "SIGKILL")])
async def test_what_was_asked_of_a_lost_one_is_done_when_it_is_found(short: Path, verb: str, number: str) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        spawned = await both.spawn(agent("silent"))
        await lose(both, spawned["id"])
        with pytest.raises(Unavailable, match="when it is found again"):
            await both.inside.call(verb, agent_id=spawned["id"])
        await find(both)
        ended = await both.inside.ended(spawned["id"])
        assert (ended["status"], ended["signal"]) == ("terminated", number)


@pytest.mark.soak
async def test_a_stop_whose_word_is_lost_is_said_again(short: Path) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        spawned = await both.spawn(agent("silent"))
        both.hub.loses = lambda _sender, _to, message: getattr(message, "command_type", "") == "stop"
        stopping = asyncio.create_task(both.inside.call("agent.stop", agent_id=spawned["id"]))
        await both.until_state(spawned["id"], "stopping")
        both.hub.loses = lambda *_: False
        assert (await stopping)["agent"]["status"] == "terminated"


@pytest.mark.soak
async def test_an_end_that_nobody_heard_of_is_found(short: Path) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        spawned = await both.spawn(["sh", "-c", "read x; echo bye; exit 9"])
        pid = spawned["pid"]
        await lose(both, spawned["id"])
        os.kill(pid, 9)
        await find(both)
        ended = await both.inside.ended(spawned["id"])
        assert (ended["status"], ended["signal"]) == ("failed", "SIGKILL")


async def test_what_its_runner_does_not_know_is_given_up(short: Path) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        spawned = await both.spawn(agent("silent"))
        both.hub.end()
        both.runner.end()
        for file in both.runner.home.path.glob("sessions/*/state.db*"):
            file.unlink()
        both.runner.begin()
        await find(both)
        ended = await both.inside.ended(spawned["id"])
        assert (ended["status"], ended["exit_code"]) == ("failed", None)
        assert (await causes(both, spawned["id"]))[-1] == "given_up"


async def test_a_runner_with_another_key_is_none_of_ours(short: Path) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        spawned = await both.spawn(agent("silent"))
        key, both.hub.key = both.hub.key, "x" * 40
        both.hub.end()
        await find(both)
        await until_notice(both, spawned["id"], REFUSED)
        both.hub.key = key
        both.hub.end()
        await find(both)
        await both.until_state(spawned["id"], "running")


async def test_who_is_killed_on_a_runner_that_nobody_knows_is_given_up_and_ended_should_it_come_back(
    short: Path,
) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        spawned = await both.spawn(agent("silent"))
        process = process_of(spawned["pid"])
        assert process is not None
        key, both.hub.key = both.hub.key, "x" * 40
        both.hub.end()
        await find(both)
        await until_notice(both, spawned["id"], REFUSED)
        with pytest.raises(Unavailable, match="when it is found again"):
            await both.inside.call("agent.stop", agent_id=spawned["id"])
        told = (await both.inside.call("agent.kill", agent_id=spawned["id"]))["agent"]
        assert (told["status"], told["exit_code"]) == ("failed", None)
        assert (await causes(both, spawned["id"]))[-1] == "given_up"
        assert is_alive(process)
        both.hub.key = key
        both.hub.end()
        await find(both)
        assert await asyncio.to_thread(wait_for_end, process, 20.0)


async def test_what_starts_too_late_is_ended(short: Path) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        both.hub.loses = lambda _sender, _to, message: isinstance(message, m.SpawnResponse | m.StatusUpdate)
        identity = new_id()
        with pytest.raises(DeadlineOver):
            await both.spawn(agent("silent"), agent_id=identity, within=1.0)
        both.hub.loses = lambda *_: False
        asked = m.ListAgentsRequest(request_id=new_id(), agent_ids=(identity,))
        async with asyncio.timeout(10):
            while True:
                answer = await both.bus.ask(asked.model_copy(update={"request_id": new_id()}), "big", timeout=5)
                assert isinstance(answer, m.ListAgentsResponse)
                if all(one.status in ("terminated", "failed") for one in answer.agents):
                    break
        told = (await both.inside.call("agent.get", agent_id=identity))["agent"]
        assert (told["status"], told["cause"]) == ("failed", "exec_failed")


async def test_a_spawn_whose_answer_is_lost_starts_one_agent(short: Path) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        lost: list[object] = []

        def loses(_sender: str, _to: str, message: m.Message) -> bool:
            if isinstance(message, m.SpawnResponse) and not lost:
                lost.append(message)
                return True
            return False

        both.hub.loses = loses
        spawned = await both.spawn(agent("silent"))
        assert lost
        assert spawned["status"] == "running"
        answer = await both.bus.ask(m.ListAgentsRequest(request_id=new_id()), "big", timeout=5)
        assert isinstance(answer, m.ListAgentsResponse)
        assert [one.id for one in answer.agents] == [spawned["id"]]


@pytest.mark.soak
async def test_a_spawn_waits_for_a_runner_that_comes(short: Path) -> None:
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        both.runner.end()
        await both.until(lambda: "big" not in both.bus.peers)
        waiting = asyncio.create_task(both.spawn(agent("silent"), queue=True))
        both.runner.begin()
        assert (await waiting)["host"] == "big"


@pytest.mark.parametrize("asked_when", ["it is back", "it is away"])
async def test_what_its_runner_has_lost_too_can_be_ended(short: Path, asked_when: str) -> None:
    """The runner was killed without anybody who kept its terminals: a stop waited for ever."""
    async with two_machines(short, heartbeat_secs=QUICK) as both:
        spawned = await both.spawn(["sh", "-c", "trap '' HUP; echo ready; sleep 1000"])
        await both.inside.until(spawned["id"], b"ready")
        await lose(both, spawned["id"])
        both.runner.end(signal.SIGKILL)
        both.runner.begin()
        if asked_when == "it is away":
            with pytest.raises(Unavailable, match="when it is found again"):
                await both.inside.call("agent.stop", agent_id=spawned["id"])
        await find(both)
        if asked_when == "it is back":
            await until_notice(both, spawned["id"], "its terminal is lost")
            await both.inside.call("agent.stop", agent_id=spawned["id"])
        ended = await both.inside.ended(spawned["id"])
        assert (ended["status"], ended["signal"]) == ("failed", "SIGKILL")


async def until_notice(both: TwoMachines, identity: str, notice: str) -> None:
    async with asyncio.timeout(10):
        while (await both.inside.call("agent.get", agent_id=identity))["agent"]["notice"] != notice:
            await both.inside.call("system.stats")
