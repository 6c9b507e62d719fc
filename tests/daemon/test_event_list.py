"""Pages of events: in order, after a cursor, with what is gone told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from descartes_core.errors import InvalidParams
from descartes_core.messages.events import EventFilter, ListEvents
from descartes_core.messages.events import EventList as Reply
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
