"""Agents are read, typed to, signalled, waited for."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import AgentNotFound, Ambiguous, InvalidParams, Refused
from descartes_daemon.dispatch import checked
from tests.support.inside import Inside, open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def an_echoer(inside: Inside, **more: Any) -> str:
    spawned = await inside.spawn(agent("echoer"), **more)
    await inside.until(spawned["id"], b"ready\r\n")
    identity: str = spawned["id"]
    return identity


async def has_said(inside: Inside, text: str) -> str:
    spawned = await inside.spawn(["printf", text.replace("\n", "\\n")])
    await inside.ended(spawned["id"])
    await inside.gone(spawned["id"])
    identity: str = spawned["id"]
    return identity


async def test_what_has_ended_cannot_be_typed_to(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await has_said(inside, "bye")
        for method, more in [
            ("write", {"text": "x"}),
            ("signal", {"signal": "INT"}),
            ("resize", {"rows": 5, "cols": 5}),
        ]:
            with pytest.raises(Refused):
                await inside.call(f"agent.{method}", agent_id=identity, **more)


async def test_a_signal_reaches_the_program(short: Path) -> None:
    async with open_inside(short) as inside:
        for signal, name in [("INT", "SIGINT"), ("sigusr1", "SIGUSR1"), ("9", "SIGKILL")]:
            spawned = await inside.spawn(["sh", "-c", "echo ready; exec sleep 1000"])
            await inside.until(spawned["id"], b"ready")
            assert await inside.call("agent.signal", agent_id=spawned["id"], signal=signal) == {}
            ended = await inside.ended(spawned["id"])
            assert (ended["signal"], ended["status"]) == (name, "failed")


async def test_what_pause_does_no_signal_does(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        for signal in ("STOP", "CONT"):
            with pytest.raises(Refused, match="pause and resume"):
                await inside.call("agent.signal", agent_id=identity, signal=signal)
        for nonsense in ("NONSENSE", "99", ""):
            with pytest.raises(InvalidParams):
                await inside.call("agent.signal", agent_id=identity, signal=nonsense)


async def test_a_tail_is_the_last_lines(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await has_said(inside, "one\ntwo\nthree\n")
        reply = await inside.call("agent.output", agent_id=identity, tail=2)
        assert (reply["offset"], base64.b64decode(reply["data"])) == (5, b"two\r\nthree\r\n")


async def test_who_waits_for_output_gets_it_when_it_comes(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        waiting = asyncio.create_task(inside.call("agent.output", agent_id=identity, offset=7, wait=20.0))
        while not inside.agent(identity).log.followers:
            await inside.call("system.health")
        assert not waiting.done()
        await inside.call("agent.write", agent_id=identity, text="x\n")
        assert (await waiting)["data"] != ""
        assert (await inside.call("agent.output", agent_id=identity, offset=0, limit=7, wait=0.0))["ended"] is False


async def test_who_waits_in_vain_is_answered(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        reply = await inside.call("agent.output", agent_id=identity, offset=7, wait=0.05)
        assert (reply["data"], reply["ended"]) == ("", False)
        assert (await inside.call("agent.wait", agent_id=identity, timeout=0.05))["ended"] is False
        assert inside.agent(identity).log.followers == set()


async def test_output_has_ended_only_when_nothing_more_comes(short: Path) -> None:
    """Who followed once left with the leader, and missed what its children still said."""
    async with open_inside(short) as inside:
        go = short / "go"
        os.mkfifo(go)
        script = f"trap '' HUP; (cat {go}; echo from a child) & echo leader; exit 0"
        spawned = await inside.spawn(["bash", "-c", script], leave=True)
        await inside.ended(spawned["id"])
        size = len(await inside.output(spawned["id"]))
        waiting = asyncio.create_task(inside.call("agent.output", agent_id=spawned["id"], offset=size, wait=20.0))
        await asyncio.to_thread(go.write_text, "")
        assert base64.b64decode((await waiting)["data"]) == b"from a child\r\n"
        assert await inside.output(spawned["id"], follow=True) == b"leader\r\nfrom a child\r\n"


async def test_a_cut_log_is_not_waited_for(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await has_said(inside, "0123456789")
        reply = await inside.call("agent.output", agent_id=identity, offset=4)
        assert reply["next_offset"] == 10
        (inside.daemon.agents.place.agent(identity) / "output.log").unlink()
        assert (await inside.call("agent.output", agent_id=identity))["size"] == 0


async def test_an_agent_is_meant_by_id_prefix_or_name(short: Path) -> None:
    async with open_inside(short) as inside:
        first = await inside.spawn(agent("silent"), name="fixer", agent_id="aaaaaaaa-0000-4000-8000-000000000001")
        await inside.spawn(agent("silent"), name="other", agent_id="aaaaaaaa-0000-4000-8000-000000000002")
        for text in (first["id"], "fixer", "aaaaaaaa-0000-4000-8000-000000000001"):
            assert (await inside.call("agent.get", agent_id=text))["agent"]["id"] == first["id"]
        with pytest.raises(Ambiguous, match="fits 2"):
            await inside.call("agent.get", agent_id="aaaaaaaa")
        with pytest.raises(AgentNotFound):
            await inside.call("agent.get", agent_id="nobody")


async def test_a_living_name_comes_before_an_ended_one(short: Path) -> None:
    async with open_inside(short) as inside:
        first = await inside.spawn(["true"], name="fixer")
        await inside.ended(first["id"])
        await inside.gone(first["id"])
        assert (await inside.call("agent.get", agent_id="fixer"))["agent"]["id"] == first["id"]
        second = await inside.spawn(agent("silent"), name="fixer")
        assert (await inside.call("agent.get", agent_id="fixer"))["agent"]["id"] == second["id"]


def test_a_whole_number_is_an_integer_however_it_is_written() -> None:
    asked = checked("agent.spawn", {"rows": 24.0, "cols": 8e1, "grace": 2.5, "command": ["true"]})
    assert asked == checked("agent.spawn", {"rows": 24, "cols": 80, "grace": 2.5, "command": ["true"]})
    for wrong in (24.5, "24", True, 1e300):
        with pytest.raises(InvalidParams):
            checked("agent.spawn", {"rows": wrong})
