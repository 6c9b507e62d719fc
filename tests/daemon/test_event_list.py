"""Pages of events: in order, after a cursor, with what is gone told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from descartes_core.errors import InvalidParams
from descartes_core.messages.events import EventFilter, ListEvents
from descartes_core.messages.events import EventList as Reply
from descartes_core.times import written
from descartes_daemon.event_list import EventList
from descartes_daemon.feed import Feed
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from tests.support.inside import open_inside
from tests.support.rows import told

pytestmark = pytest.mark.anyio


async def test_events_are_read_after_a_cursor(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["true"])
        await inside.ended(spawned["id"])
        everything = await inside.call("event.list")
        assert [event["seq"] for event in everything["events"]] == list(range(1, everything["last_seq"] + 1))
        assert [event["event_type"] for event in everything["events"]] == [
            "daemon_started",
            "spawned",
            "started",
            "completed",
        ]
        rest = await inside.call("event.list", since=2)
        assert rest["events"] == everything["events"][2:]
        part = await inside.call("event.list", since=1, limit=1)
        assert (part["events"], part["next_since"]) == (everything["events"][1:2], 2)
        with pytest.raises(InvalidParams, match="beyond"):
            await inside.call("event.list", since=99)


async def test_who_waits_for_an_event_gets_the_next_that_fits(short: Path) -> None:
    async with open_inside(short) as inside:
        since = (await inside.call("event.list"))["last_seq"]
        wanted = {"agent_ids": ["b"], "event_categories": ["agent"]}
        waiting = asyncio.create_task(inside.call("event.list", since=since, filter=wanted, wait=20.0))
        await inside.daemon.store.commit(told("one", "a"))
        await inside.daemon.store.commit(told("two", "b"))
        reply = await waiting
        assert [event["event_type"] for event in reply["events"]] == ["two"]
        assert reply["next_since"] == since + 2


async def test_who_waits_in_vain_for_an_event_keeps_a_cursor(short: Path) -> None:
    async with open_inside(short) as inside:
        since = (await inside.call("event.list"))["last_seq"]
        assert await inside.call("event.list", since=since, wait=0.05) == {
            "events": [],
            "gap_until": None,
            "next_since": since,
            "last_seq": since,
        }


async def test_a_page_of_few_is_found_among_many(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        await asyncio.gather(*(store.commit(told("x", "b" if number % 700 == 0 else "a")) for number in range(3000)))
        events, seen, since = EventList(Feed(store)), [], 0
        while since < 3000:
            request = ListEvents(since=since, limit=2, filter=EventFilter(agent_ids=["b"]))
            page = Reply.model_validate(await events.list(request))
            seen += [event.seq for event in page.events]
            assert len(page.events) <= 2
            since = page.next_since
        assert seen == [1, 701, 1401, 2101, 2801]


async def test_one_call_looks_through_no_more_than_it_may(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        await asyncio.gather(*(store.commit(told("x")) for _ in range(2500)))
        page = await EventList(Feed(store), most_looked_at=1000).list(
            ListEvents(filter=EventFilter(event_categories=["task"]), wait=60.0)
        )
        assert (page["events"], page["next_since"], page["last_seq"]) == ([], 1000, 2500)


@pytest.mark.parametrize("kept", [0, 7])
async def test_events_that_are_kept_no_more_are_a_gap(tmp_path: Path, kept: int) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        await asyncio.gather(*(store.commit(told("x")) for _ in range(20)))
        unit = Unit().note("events_gone_to", str(20 - kept))
        unit.statements.append(("DELETE FROM events WHERE seq <= :gone", {"gone": 20 - kept}))
        await store.commit(unit)
        feed, missed = Feed(store), []
        feed.on_gap = lambda: missed.append(1)
        page = await EventList(feed).list(ListEvents(since=3))
        assert (page["gap_until"], len(page["events"]), page["next_since"]) == (21 - kept, kept, 20)
        assert missed == [1]
        assert (await EventList(feed).list(ListEvents(since=20 - kept)))["gap_until"] is None


async def test_events_of_a_time_are_read_without_those_around_it(short: Path) -> None:
    async with open_inside(short) as inside:
        store = inside.daemon.store
        for at, word in ((100.0, "one"), (200.0, "two"), (150.0, "two, by a clock set back"), (300.0, "three")):
            await store.commit(Unit().event("SystemEvent", word, None, {}, at))

        async def between(begin: float | None, end: float | None) -> list[str]:
            asked = {"from_time": begin and written(begin), "to_time": end and written(end)}
            asked = {key: value for key, value in asked.items() if value}
            reply = await inside.call("event.list", filter={"event_categories": ["system"]}, **asked)
            assert (reply["next_since"], reply["gap_until"]) == (reply["last_seq"], None)
            return [event["event_type"] for event in reply["events"]]

        assert await between(None, 300.0) == ["one", "two", "two, by a clock set back"]
        assert await between(200.0, 300.0) == ["two"]
        assert await between(150.0, 300.0) == ["two", "two, by a clock set back"]
        assert await between(4e9, None) == []
        with pytest.raises(InvalidParams, match="RFC 3339"):
            await inside.call("event.list", from_time="yesterday")


async def test_who_asks_from_a_time_that_is_kept_no_more_is_told_of_the_gap(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        for at in (100.0, 200.0, 300.0):
            await store.commit(Unit().event("SystemEvent", "old", None, {}, at))
        await store.commit(Unit().give_up_events(2))
        await store.commit(Unit().prune_events(100))
        events = EventList(Feed(store))
        reply = await events.list(ListEvents(from_time=written(150.0)))
        assert (reply["gap_until"], [event["seq"] for event in reply["events"]]) == (3, [3])
        assert (await events.list(ListEvents(from_time=written(350.0))))["gap_until"] is None
