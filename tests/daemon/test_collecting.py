"""What is old is removed, told first, and never while somebody needs it; a kill leaves nothing half."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from descartes_core.ids import new_id
from descartes_daemon import event_bound
from descartes_daemon.unit import Unit
from tests.support.inside import Inside, open_inside
from tests.support.rows import told

pytestmark = pytest.mark.anyio


async def ended(inside: Inside, *words: str) -> str:
    """Run a program to its end, and to that of all it left."""
    spawned = await inside.spawn(list(words or ("echo", "said")))
    await inside.ended(spawned["id"])
    await inside.gone(spawned["id"])
    return str(spawned["id"])


def directories(inside: Inside) -> set[str]:
    """Return what lies where outputs lie."""
    return {path.name for path in (inside.daemon.agents.place.data / "agents").iterdir()}


async def collect(inside: Inside, **how: Any) -> Any:
    return await inside.call("session.collect", **{"older_than": 0.0, "events_older_than": 36_500.0, **how})


async def test_old_output_goes_and_the_history_stays(short: Path) -> None:
    async with open_inside(short) as inside:
        agent = await ended(inside)
        planned = await collect(inside, dry_run=True)
        assert directories(inside) == {agent}
        done = await collect(inside)
        assert planned["agents"] == done["agents"]
        assert [one["agent_id"] for one in done["agents"]] == [agent]
        assert done["bytes"] == done["agents"][0]["bytes"] > 0
        assert directories(inside) == set()
        (kept,) = (await inside.call("agent.list", all=True))["agents"]
        assert (kept["id"], kept["exit_code"], kept["output_bytes"]) == (agent, 0, 6)
        reply = await inside.call("agent.output", agent_id=agent)
        assert (reply["gap"]["begin"], reply["gap"]["end"], reply["ended"]) == (0, 6, True)
        assert "descartes gc" in reply["gap"]["reason"]
        assert (await collect(inside))["agents"] == []


async def test_what_is_not_old_enough_stays(short: Path) -> None:
    async with open_inside(short) as inside:
        agent = await ended(inside)
        done = await inside.call("session.collect")
        assert (done["agents"], done["events"], done["kept"]) == ([], 0, [])
        assert directories(inside) == {agent}


async def test_who_lives_or_left_something_keeps_its_output(short: Path) -> None:
    async with open_inside(short) as inside:
        living = await inside.spawn(["sleep", "1000"])
        left = await inside.spawn(["sh", "-c", "trap '' HUP; setsid sleep 1000 & echo left"], leave=True)
        await inside.ended(left["id"])
        done = await collect(inside)
        assert done["agents"] == []
        assert [kept.endswith("something of it still runs") for kept in done["kept"]] == [True]
        assert directories(inside) == {living["id"], left["id"]}
        for process in inside.agent(left["id"]).find_tree():
            os.kill(process.pid, 9)


async def test_who_reads_is_not_robbed(short: Path) -> None:
    async with open_inside(short) as inside:
        agent = await ended(inside)
        log = (await inside.daemon.agents.find(agent)).log
        log.followers.add(lambda: None)
        assert "reads" in (await collect(inside))["kept"][0]
        log.followers.clear()
        await inside.call("agent.output", agent_id=agent, limit=2)
        assert "reads" in (await collect(inside))["kept"][0]
        await inside.call("agent.output", agent_id=agent, offset=2)
        assert len((await collect(inside))["agents"]) == 1


async def test_two_at_once_remove_each_output_once(short: Path) -> None:
    async with open_inside(short) as inside:
        agents = {await ended(inside) for _ in range(5)}
        replies = await asyncio.gather(*(collect(inside) for _ in range(4)))
        removed = [one["agent_id"] for reply in replies for one in reply["agents"]]
        assert sorted(removed) == sorted(agents)


async def test_a_repeated_request_is_answered_alike(short: Path) -> None:
    async with open_inside(short) as inside:
        await ended(inside)
        identity = new_id()
        first = await collect(inside, request_id=identity)
        assert await collect(inside, request_id=identity) == first
        assert len(first["agents"]) == 1


async def test_a_kill_after_the_commit_is_made_good_by_the_next_daemon(short: Path) -> None:
    identity = new_id()
    async with open_inside(short, identity=identity) as inside:
        first, second, third = [await ended(inside) for _ in range(3)]
        place = inside.daemon.agents.place.data / "agents"
        for agent in (first, second):
            await inside.daemon.store.commit(Unit().set_begin(agent, "stdout", 6).set_collected(agent, 1.0))
        os.rename(place / second, place / f"{second}.gone")  # killed after the rename
    async with open_inside(short, identity=identity) as inside:
        await inside.daemon.collecting.begin()
        assert directories(inside) == {third}
        for agent in (first, second):
            assert (await inside.call("agent.output", agent_id=agent))["gap"]["end"] == 6
        assert (await inside.call("agent.output", agent_id=third))["gap"] is None


async def test_what_cannot_be_removed_is_told_and_tried_again(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_inside(short) as inside:
        agent = await ended(inside)

        def refuse(_place: object, **_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(shutil, "rmtree", refuse)
        done = await collect(inside)
        assert done["agents"] == []
        assert "Permission denied" in done["kept"][0]
        monkeypatch.undo()
        await inside.daemon.collecting.begin()
        assert directories(inside) == set()
        assert (await inside.call("agent.output", agent_id=agent))["gap"] is not None


async def test_old_events_go_in_pieces_and_the_count_goes_on(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_bound, "AT_ONCE", 7)
    identity = new_id()
    async with open_inside(short, identity=identity) as inside:
        for _ in range(40):
            await inside.daemon.store.commit(told("something"))
        last = inside.daemon.store.last_seq()
        planned = await collect(inside, older_than=36_500.0, events_older_than=0.0, dry_run=True)
        done = await collect(inside, older_than=36_500.0, events_older_than=0.0)
        assert planned["events"] == done["events"] == last - 1
        (left,) = await inside.daemon.store.events_after(0, 1000)
        assert left["seq"] == last
        assert await inside.daemon.store.events_given_up() == 0
    async with open_inside(short, identity=identity) as inside:
        assert inside.daemon.store.last_seq() > last


async def test_events_that_are_given_up_are_not_shown_and_go_with_the_next_start(short: Path) -> None:
    identity = new_id()
    async with open_inside(short, identity=identity) as inside:
        for _ in range(10):
            await inside.daemon.store.commit(told("something"))
        to, _ = await inside.daemon.store.events_before(4e9)
        await inside.daemon.store.commit(Unit().give_up_events(to))  # killed before the first of them went
        assert (await inside.daemon.store.events_after(0, 1000))[0]["seq"] == to + 1
        assert await inside.daemon.store.events_given_up() == to
    async with open_inside(short, identity=identity) as inside:
        await inside.daemon.collecting.begin()
        assert await inside.daemon.store.events_given_up() == 0


async def test_events_are_never_given_back(short: Path) -> None:
    async with open_inside(short) as inside:
        for _ in range(10):
            await inside.daemon.store.commit(told("something"))
        await inside.daemon.store.commit(Unit().give_up_events(8))
        await inside.daemon.store.commit(Unit().give_up_events(3))
        assert (await inside.daemon.store.events_after(0, 1000))[0]["seq"] == 9
