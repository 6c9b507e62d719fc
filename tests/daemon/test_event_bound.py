"""No more events are kept than were asked for, the newest; what goes is told as a gap, and survives a kill."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from descartes_daemon.background import Background
from descartes_daemon.event_bound import EventBound
from descartes_daemon.feed import Feed
from descartes_daemon.store import Store
from tests.support.inside import open_inside
from tests.support.rows import told

pytestmark = pytest.mark.anyio


async def tell(store: Store, count: int) -> None:
    await asyncio.gather(*(store.commit(told("word")) for _ in range(count)))


async def kept(store: Store) -> list[int]:
    return [event["seq"] for event in await store.events_after(0, 1000)]


async def test_the_newest_stay(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        background = Background()
        bound = EventBound(store, background, 20)
        Feed(store).on_growth = bound.grew
        await tell(store, 22)
        assert await kept(store) == list(range(1, 23)), "a tenth more may be there"
        await tell(store, 1)
        await asyncio.gather(*background._tasks)
        assert await kept(store) == list(range(4, 24))
        assert await store.events_given_up() == 0


async def test_without_a_bound_nothing_goes(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        bound = EventBound(store, Background(), 0)
        Feed(store).on_growth = bound.grew
        await tell(store, 50)
        assert (bound.surplus(), len(await kept(store))) == (0, 50)


async def test_what_a_killed_daemon_had_given_up_is_removed_by_the_next(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        await tell(store, 30)
        await store.commit(told("last").give_up_events(10))
        bound = EventBound(store, Background(), 100)
        assert await store.events_given_up() == 10
        await bound.prune()
        assert (await store.events_given_up(), (await kept(store))[0]) == (0, 11)


async def test_gc_and_a_start_keep_to_the_bound(short: Path) -> None:
    (short / "home").mkdir(parents=True, exist_ok=True)
    (short / "home" / "config.toml").write_text("[retention]\nevent_count = 5\n")
    async with open_inside(short) as inside:
        await tell(inside.daemon.store, 5)
        assert (await inside.call("session.collect", dry_run=True))["events"] == 1
        assert (await inside.call("session.collect"))["events"] == 1
        assert len(await kept(inside.daemon.store)) == 5
