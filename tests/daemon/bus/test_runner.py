"""A runner runs programs for daemons elsewhere: each its own, once, reported, and followed under credit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from descartes_core.bus import messages as m
from descartes_core.errors import (
    AgentNotFound,
    AlreadyExists,
    Conflict,
    DeadlineOver,
    LimitReached,
    Refused,
    SpawnFailed,
)
from descartes_core.ids import new_id
from tests.support.on_the_bus import joined
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def test_a_program_is_run_reported_and_heard_to_its_last_byte(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        (shop,) = there.callers
        spawned = await shop.spawn(
            ["sh", "-c", "echo hi; pwd; exit 7"], name="greeter", agent_id=(identity := new_id())
        )
        assert (spawned.id, spawned.name, spawned.status) == (identity, "greeter", "running")
        said = await shop.all_of(identity)
        assert said == f"hi\r\n{there.inside.directory}/shop/work/{identity}\r\n".encode()
        gone = await shop.until_gone(identity)
        assert (gone.exit_code, gone.status, gone.stdout_bytes) == (7, "failed", len(said))
        assert list((there.inside.directory / "shop" / "work").iterdir()) == []


async def test_nobody_sees_anothers_agents(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop", "desk/yard") as there:
        shop, yard = there.callers
        mine = await shop.spawn(agent("echoer"), name="echo")
        other = await yard.spawn(agent("silent"), name="echo")
        local = await there.inside.spawn(agent("silent"), name="echo")
        for word in ("get_status", "kill", "write_stdin", "read_stdout", "stream_logs"):
            for hidden in (mine.id, local["id"], "echo", mine.id[:8]):
                with pytest.raises(AgentNotFound):
                    await yard.command(hidden, word)
        listed = await yard.ask(m.ListAgentsRequest(request_id=new_id()))
        assert [one.id for one in listed.agents] == [other.id]
        asked_for = await yard.ask(m.ListAgentsRequest(request_id=new_id(), agent_ids=(mine.id, other.id)))
        assert [one.id for one in asked_for.agents] == [other.id]
        yard.credit(mine.id, 0, 1000)
        await yard.command(other.id, "get_status")
        assert yard.pieces == []
        assert {update.agent_id for update in yard.updates} <= {other.id}


async def test_a_spawn_that_is_asked_for_again_starts_nothing_more(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop", "desk/yard") as there:
        shop, yard = there.callers
        first = await shop.spawn(agent("silent"), request_id="one")
        again = await shop.spawn(agent("silent"), request_id="one")
        assert again.id == first.id
        # The same id of another daemon is another request.
        assert (await yard.spawn(agent("silent"), request_id="one")).id != first.id
        with pytest.raises(AlreadyExists):
            await shop.spawn(agent("silent"), agent_id=first.id)
        assert len(there.inside.daemon.agents.living) == 2


async def test_what_did_not_start_in_time_does_not_run(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        (shop,) = there.callers
        config = m.AgentConfig(command=tuple(agent("silent")), agent_id=(identity := new_id()))
        with pytest.raises(DeadlineOver):
            await shop.ask(m.SpawnRequest(request_id=new_id(), config=config, timeout_secs=0.0001))
        status = (await shop.command(identity, "get_status")).data
        assert status["status"] in ("failed", "terminated", "stopping")
        gone = await shop.until_gone(identity)
        assert gone.status in ("failed", "terminated")


async def test_what_cannot_be_run_is_told_in_a_sentence(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        with pytest.raises(SpawnFailed, match="no-such-program"):
            await there.callers[0].spawn(["no-such-program"])


async def test_a_runner_takes_as_many_as_it_says_and_none_while_it_drains(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop", capacity=2) as there:
        (shop,) = there.callers
        assert (await there.inside.call("bus.status"))["labels"] == ["gpu"]
        first = await shop.spawn(agent("silent"), request_id="one")
        await shop.spawn(agent("silent"))
        with pytest.raises(LimitReached, match="takes 2"):
            await shop.spawn(agent("silent"))
        assert (await there.inside.call("bus.drain"))["is_draining"]
        await shop.command(first.id, "kill")
        with pytest.raises(Refused, match="draining"):
            await shop.spawn(agent("silent"))
        assert (await shop.spawn(agent("silent"), request_id="one")).id == first.id
        beats = [heard for name, heard in there.hub.heard if name == "big" and isinstance(heard, m.Heartbeat)]
        assert beats[-1].is_draining
        await there.inside.call("bus.drain", is_draining=False)
        await shop.spawn(agent("silent"))


async def test_a_flood_arrives_whole_and_only_as_far_as_credit_goes(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        (shop,) = there.callers
        spawned = await shop.spawn(["sh", "-c", "yes | head -c 3000000"], tty=False)
        shop.credit(spawned.id, 0, 1000)
        await shop.until(lambda: sum(len(piece.data) for piece in shop.pieces) == 1000)
        await shop.until_gone(spawned.id)
        assert sum(len(piece.data) for piece in shop.pieces) == 1000
        shop.pieces.clear()
        said = await shop.all_of(spawned.id)
        assert said == b"y\n" * 1_500_000


async def test_what_was_lost_on_its_way_is_sent_again(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        (shop,) = there.callers
        spawned = await shop.spawn(["sh", "-c", "echo one; exec cat"])
        shop.credit(spawned.id, 0, 1000)
        await shop.until(lambda: bool(shop.pieces))
        shop.pieces.clear()
        shop.credit(spawned.id, 0, 1000)  # it says that it has nothing
        await shop.until(lambda: bool(shop.pieces))
        assert (shop.pieces[0].offset, shop.pieces[0].data) == (0, b"one\r\n")


async def test_typing_is_in_order_and_once(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        (shop,) = there.callers
        spawned = await shop.spawn(["cat"], tty=False)

        async def type_(at: int, data: bytes) -> int:
            answer = await shop.command(spawned.id, "write_stdin", channel="c", at=at, data=data)
            return int(answer.data["written"])

        assert await type_(0, b"one ") == 4
        assert await type_(0, b"one two ") == 8
        early = await shop.command(spawned.id, "write_stdin", channel="c", at=20, data=b"far")
        assert (early.success, early.code, early.data) == (False, Conflict.code, {"written": 8})
        assert await asyncio.gather(*(type_(8 + number, b"x") for number in range(20))) == list(range(9, 29))
        there.inside.daemon.bus.membership.channels.settle(there.inside.daemon.agents.present)
        there.inside.daemon.bus.membership.channels._by_agent.clear()  # as the next daemon finds it
        assert await type_(20, b"xxxxxxxx\n") == 29
        await shop.command(spawned.id, "write_stdin", channel="c", at=29, eof=True)
        assert await shop.all_of(spawned.id) == b"one two " + b"x" * 20 + b"\n"
        assert (await there.inside.call("agent.audit", agent_id=spawned.id))["bytes"] >= 29


async def test_what_its_daemon_has_taken_is_forgotten(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        (shop,) = there.callers
        spawned = await shop.spawn(["sh", "-c", "echo hi; read word"])
        await there.inside.until(spawned.id, b"hi")
        with pytest.raises(Refused, match="has not ended"):
            await shop.act(spawned.id, "forget")
        await shop.command(spawned.id, "kill")
        await shop.until_gone(spawned.id)
        for _ in range(2):
            assert await shop.act(spawned.id, "forget") == {}
        assert (await shop.command(spawned.id, "read_stdout")).data["bytes"] == 0
        shop.credit(spawned.id, 0, 1000)
        await shop.until(lambda: any(piece.is_last for piece in shop.pieces))
        assert "removed" in (shop.pieces[-1].gap or "")


async def test_a_hub_that_was_killed_loses_nothing(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        (shop,) = there.callers
        spawned = await shop.spawn(["sh", "-c", "echo before; read word; echo $word; exit 3"])
        there.hub.end()
        there.hub.begin()
        await shop.command(spawned.id, "write_stdin", data=b"after\n")
        said = await shop.all_of(spawned.id)
        assert said == b"before\r\nafter\r\nafter\r\n"
        listed = await shop.ask(m.ListAgentsRequest(request_id=new_id(), agent_ids=(spawned.id,)))
        assert listed.agents[0].exit_code == 3


async def test_living_agents_are_told_of_at_an_interval(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        (shop,) = there.callers
        spawned = await shop.spawn(agent("silent"))
        await shop.until(lambda: [one.update_type for one in shop.updates].count("heartbeat") >= 2)
        assert all(one.agent_id == spawned.id for one in shop.updates)
        info = shop.updates[-1].agent_info
        assert info is not None
        assert info.status == "running"
