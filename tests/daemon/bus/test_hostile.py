"""Who is let in and means harm, or only has odd names: everybody is answered, and nothing is left behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from descartes_core.bus import messages as m
from descartes_core.errors import InvalidParams, LimitReached, Unavailable
from descartes_core.ids import new_id
from descartes_daemon.bus.channels import Channels
from descartes_local.bus_file import BusFile, bus_file_of, keys_in, write_bus_file, write_keys
from tests.support.bare_hub import new_keys
from tests.support.inside import PATIENCE, open_inside
from tests.support.on_the_bus import joined
from tests.support.programs import agent

pytestmark = pytest.mark.anyio


async def test_what_was_no_spawn_takes_no_place_of_a_runner(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop", capacity=1) as there:
        (shop,) = there.callers
        for _ in range(3):
            with pytest.raises(InvalidParams):
                await shop.spawn([], model_backend="nobody")
        assert (await shop.spawn(agent("silent"))).status == "running"


async def test_no_directory_is_made_for_anothers_agent(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop", "desk/yard") as there:
        shop, yard = there.callers
        ended = await shop.spawn(["true"])
        await shop.until_gone(ended.id)
        with pytest.raises(Exception, match="exists already"):
            await yard.spawn(["true"], agent_id=ended.id)
        assert list((there.inside.directory / "shop" / "work").iterdir()) == []


async def test_what_was_refused_leaves_no_directory(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        (shop,) = there.callers
        for odd in ({"environment": {"A=B": "x"}}, {"agent_id": new_id().upper()}, {"name": "a/b"}):
            with pytest.raises(InvalidParams):
                await shop.spawn(["true"], **odd)
        assert list((there.inside.directory / "shop" / "work").iterdir()) == []


async def test_one_who_asks_much_leaves_room_for_others(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop", "desk/yard") as there:
        shop, yard = there.callers
        mine, other = await shop.spawn(agent("silent")), await yard.spawn(agent("silent"))

        async def wait() -> str:
            wish = m.CustomActionRequest(
                request_id=new_id(), agent_id=mine.id, action="wait", params={"timeout": 300}, timeout_secs=300
            )
            try:
                await shop.ask(wish, timeout=300)
            except LimitReached as error:
                return error.code
            return "done"

        waiting = [asyncio.create_task(wait()) for _ in range(2100)]
        done, _ = await asyncio.wait(waiting, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result() for task in done} == {"limit_reached"}
        assert (await yard.command(other.id, "get_status")).success
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_an_odd_path_hides_no_list(short: Path) -> None:
    async with joined(short, "daemon", "ci") as there:
        (ci,) = there.callers
        spawned = await there.inside.spawn(agent("silent"))
        odd = there.inside.agent(spawned["id"])
        odd.row = replace(odd.row, cwd="/tmp/\udcff", evidence="x\udcff" * 10_000)
        (told,) = (await ci.ask(m.ListAgentsRequest(request_id=new_id()))).agents
        assert (told.cwd, len(told.evidence)) == ("/tmp/?", m.LONGEST_SENTENCE)


async def test_nobody_who_has_left_is_followed_for(short: Path) -> None:
    async with joined(short, "daemon", "ci") as there:
        (ci,) = there.callers
        streams = there.inside.daemon.bus.membership.streams
        spawned = await there.inside.spawn(agent("silent"))
        ci.credit(spawned["id"], 0, 1 << 20)
        await ci.command(spawned["id"], "get_status")
        assert len(streams) == 1
        hub, gone = there.hub, asyncio.Event()
        there.inside.daemon.bus.membership.bus.subscribe(on_message=lambda *_: gone.set())
        hub.tell(there.name, m.Problem(code="not_found", error="nobody", to="ci"))
        async with asyncio.timeout(PATIENCE):
            await gone.wait()
        assert len(streams) == 0


async def test_who_comes_by_ever_other_names_is_not_counted_for_ever(short: Path) -> None:
    async with joined(short, "daemon", "ci") as there:
        spawned = await there.inside.spawn(agent("silent"))
        channels: Channels = there.inside.daemon.bus.membership.channels
        typed = there.inside.agent(spawned["id"])
        for number in range(200):
            channels.type(typed, f"bus ci#{number}", "channel", 0, b"x")
        assert len(channels._of(typed)._tallies) <= 64


@pytest.mark.parametrize("odd", [{"labels": ("x",) * 60}, {"name": "x" * 300}])
async def test_a_file_that_no_hub_would_hear_of_is_told_as_such(short: Path, odd: dict[str, Any]) -> None:
    async with open_inside(short) as inside:
        setup = inside.daemon.setup
        told = BusFile("runner", "tcp://127.0.0.1:9", "k" * 40, "big", "big.key")
        write_keys(keys_in(setup.home, told.keys), new_keys())
        write_bus_file(bus_file_of(setup.home, setup.record.id), replace(told, **odd))
        with pytest.raises(Unavailable, match="no hub would hear"):
            await inside.call("bus.connect")
        assert (await inside.call("bus.status"))["state"] == "None"
