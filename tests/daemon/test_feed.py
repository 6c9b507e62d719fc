"""Every event once and in order, from memory or from the store."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from descartes_daemon import feed as feed_module
from descartes_daemon.feed import Feed, Piece
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from tests.support.rows import told

pytestmark = pytest.mark.anyio


async def test_a_cursor_at_any_place_sees_the_rest_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "AT_HAND", 10)
    async with Store.open(tmp_path / "state.db") as store:
        await store.commit(told("before"))
        feed = Feed(store)
        await asyncio.gather(*(store.commit(told("x")) for _ in range(30)))
        assert feed.last_seq == 31
        for since in range(32):
            seen, cursor = [], since
            while events := (await feed.after(cursor, 4)).events:
                assert len(events) <= 4
                seen += [event["seq"] for event in events]
                cursor = seen[-1]
            assert seen == list(range(since + 1, 32))


async def test_memory_and_store_tell_the_same(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        feed = Feed(store)
        await store.commit(told("x", "a", word="é", deep={"list": [1, None]}))
        assert (await feed.after(0, 9)).events == await store.events_after(0, 9)


async def test_who_waits_is_woken_by_the_commit(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        feed = Feed(store)
        waiting = [asyncio.create_task(feed.wait_beyond(seq)) for seq in (0, 0, 1)]
        await store.commit(told("x"))
        assert await asyncio.gather(*waiting[:2]) == [True, True]
        assert not waiting[2].done()
        await store.commit(told("x"))
        assert await waiting[2]
        assert await feed.wait_beyond(1)


async def test_waiting_ends_in_time(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        assert not await Feed(store).wait_beyond(0, 0.001)


async def test_a_cursor_beyond_the_newest_sees_nothing(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        assert await Feed(store).after(7, 10) == Piece(7, [])


async def test_what_is_kept_no_more_is_told_with_the_cursor(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        await asyncio.gather(*(store.commit(told("x")) for _ in range(10)))
        for gone, kept in ((4, range(5, 11)), (10, [])):
            await pruned(store, gone)
            feed = Feed(store)
            piece = await feed.after(0, 100)
            assert (piece.begin, [event["seq"] for event in piece.events]) == (gone, list(kept))


async def pruned(store: Store, gone: int) -> None:
    """Do what the retention policy does."""
    await store.commit(Unit().note("events_gone_to", str(gone)))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DELETE FROM events WHERE seq <= ?", (gone,))


async def test_the_lag_counts_from_the_commit(tmp_path: Path) -> None:
    async with Store.open(tmp_path / "state.db") as store:
        await store.commit(told("before"))
        feed, lags = Feed(store), []
        feed.on_lag = lags.append
        feed.reached(1)  # committed before anybody looked at a clock
        for _ in range(3):
            await store.commit(told("x"))
        feed.reached(4)
        feed.reached(2)
        assert len(lags) == 2
        assert 0 <= lags[0] <= lags[1] < 10
