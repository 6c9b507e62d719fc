"""A daemon belongs to a bus from the moment that it is told of one, and says how it stands."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from descartes_core.errors import Refused, Unavailable
from descartes_local.bus_file import bus_file_of, keys_in, write_bus_file, write_keys
from tests.support.bare_hub import BareHub, new_keys
from tests.support.inside import PATIENCE, Inside, open_inside
from tests.support.on_the_bus import joined

pytestmark = pytest.mark.anyio


async def events(inside: Inside) -> list[str]:
    told = await inside.call("event.list", filter={"event_categories": ["system"]})
    return [event["event_type"] for event in told["events"] if event["event_type"].startswith("bus")]


async def test_without_a_bus_there_is_nothing_to_tell(short: Path) -> None:
    async with open_inside(short) as inside:
        await inside.daemon.bus.begin()
        status = await inside.call("bus.connect")
        assert (status["state"], status["peers"], status["statistics"]) == ("None", [], None)
        assert (await inside.call("system.stats"))["bus"] is None
        assert "descartes_bus" not in (await inside.call("system.metrics"))["text"]
        with pytest.raises(Refused, match="no runner"):
            await inside.call("bus.drain")


async def test_a_living_daemon_joins_when_it_is_told_and_leaves_a_hub_that_is_not_its_own(short: Path) -> None:
    async with open_inside(short) as inside:
        home = inside.daemon.setup.home
        await inside.daemon.bus.begin()
        with BareHub() as first, BareHub() as second:
            for hub in (first, first, second):
                told = hub.file("laptop")
                write_keys(keys_in(home, told.keys), new_keys())
                write_bus_file(bus_file_of(home), told)
                status = await inside.call("bus.connect")
                assert (status["state"], status["hub"]) == ("Connected", hub.endpoint)
                assert status["name"] == f"laptop/{inside.daemon.setup.record.id}"
            bus_file_of(home).unlink()
            assert (await inside.call("bus.connect"))["state"] == "None"
        assert await events(inside) == ["bus_connected", "bus_connected"]


async def test_what_is_wrong_with_its_files_is_told_and_keeps_nothing_from_working(short: Path) -> None:
    async with open_inside(short) as inside:
        home = inside.daemon.setup.home
        bus_file_of(home).write_text("{")
        await inside.daemon.bus.begin()
        with pytest.raises(Unavailable, match=r"bus\.json"):
            await inside.call("bus.connect")
        with BareHub() as hub:
            write_bus_file(bus_file_of(home), hub.file("laptop"))
            with pytest.raises(Unavailable, match="enroll"):
                await inside.call("bus.connect")
        assert (await inside.call("system.health"))["status"] == "healthy"


async def test_a_hub_that_goes_and_comes_is_told(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        there.hub.end()
        there.hub.begin()
        assert (await there.inside.call("bus.connect"))["state"] in ("Connected", "Reconnecting")
        bus = there.inside.daemon.bus.membership.bus
        async with asyncio.timeout(PATIENCE):
            while bus.link.statistics.reconnections == 0:  # until its end is noticed it counts as connected
                await there.inside.call("bus.connect")
        stats = (await there.inside.call("system.stats"))["bus"]
        assert (stats["state"], stats["role"], stats["reconnections"]) == ("Connected", "runner", 1)
        metrics = (await there.inside.call("system.metrics"))["text"]
        assert "descartes_bus_connected 1.0" in metrics
        assert "descartes_bus_reconnections_total 1.0" in metrics
        assert await events(there.inside) == ["bus_connected", "bus_lost", "bus_connected"]


async def test_its_generation_grows_with_each_start(short: Path) -> None:
    async with joined(short, "runner", "laptop/shop") as there:
        door = there.inside.daemon.bus
        before = door.membership.bus.link.me.generation
        await door.leave()
        await door.connect(None, None)  # type: ignore[arg-type] # neither is looked at
        assert door.membership.bus.link.me.generation > before
