"""What vanishes of `.scud` is mended, seen by the kernel or at the next call."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord
from descartes_daemon import scud_watch
from descartes_daemon.scud_watch import ScudWatch
from descartes_daemon.session_upkeep import Endpoints, Upkeep
from descartes_local.home import Home
from descartes_local.locks import is_at
from tests.support.leftovers import open_descriptors

pytestmark = pytest.mark.anyio

ID = "11111111-1111-4111-8111-111111111111"
PATIENCE = 20.0


@dataclass
class Watched:
    """A workspace that is looked after, and what was told of it."""

    upkeep: Upkeep
    watch: ScudWatch
    told: asyncio.Queue[str]
    kept: list[int] = field(default_factory=list)

    @property
    def scud(self) -> Path:
        return self.upkeep.workspace / ".scud"

    async def next_told(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self.told.get()


@asynccontextmanager
async def watched(directory: Path) -> AsyncIterator[Watched]:
    before = open_descriptors()
    home, shop = Home(directory / "home"), directory / "shop"
    home.make()
    home.session(ID).mkdir()
    shop.mkdir()
    upkeep = Upkeep(home, shop, SessionRecord(ID, "shop", str(shop), "2026-01-01T00:00:00Z"))
    upkeep.lock({})
    upkeep.write(State.ACTIVE, Endpoints("127.0.0.1", 1, 2, "/s"))
    told: asyncio.Queue[str] = asyncio.Queue()

    async def tell(event_type: str, **_: object) -> None:
        told.put_nowait(event_type)

    async def keep(locks: Mapping[str, int]) -> None:
        found.kept.extend(locks.values())

    found = Watched(upkeep, ScudWatch(upkeep, keep=keep, tell=tell), told)
    task = asyncio.create_task(found.watch.run(), name="watch")
    try:
        yield found
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for descriptor in upkeep.locks.values():
            os.close(descriptor)
    assert set(open_descriptors().items()) - set(before.items()) == set()


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system have no inotify, as elsewhere, or where all of its instances are taken."""

    def refuse() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(scud_watch, "Inotify", refuse)
    monkeypatch.setattr(scud_watch, "_LOOK_EVERY", 0.0)


async def test_what_vanishes_is_written_locked_and_kept(tmp_path: Path) -> None:
    async with watched(tmp_path) as found:
        for times in (1, 2):
            await whole(found)
            shutil.rmtree(found.scud)
            assert await found.next_told() == "workspace_rewritten"
            assert len(found.kept) == times
            assert is_at(found.upkeep.locks["lock-workspace"], found.scud)
            assert len(found.upkeep.notices) == 1


async def test_the_kernel_s_silence_is_made_up_for_by_calls(tmp_path: Path, blind: None) -> None:
    async with watched(tmp_path) as found:
        await whole(found)
        (found.scud / "session.json").unlink()
        found.watch.look_soon()
        assert await found.next_told() == "workspace_rewritten"
        shutil.rmtree(found.upkeep.workspace)
        found.watch.look_soon()
        assert await found.next_told() == "workspace_gone"
        for _ in range(3):
            found.watch.look_soon()
        found.upkeep.workspace.mkdir()
        while found.told.empty():
            found.watch.look_soon()
            await asyncio.to_thread(os.sched_yield)
        assert found.told.get_nowait() == "workspace_rewritten"
        assert found.told.empty()


async def test_calls_cost_nothing_where_the_kernel_tells(tmp_path: Path) -> None:
    async with watched(tmp_path) as found:
        await whole(found)
        found.watch.look_soon()
        assert not found.watch._news.is_set()


async def test_other_files_there_are_not_our_affair(tmp_path: Path) -> None:
    async with watched(tmp_path) as found:
        await whole(found)
        for number in range(100):
            (found.scud / f"task {number}").write_text("")
            (found.scud / f"task {number}").unlink()
        (found.scud / "session.json").unlink()
        assert await found.next_told() == "workspace_rewritten"
        assert found.told.empty()


async def test_what_cannot_be_written_is_told_and_tried_again_by_calls(tmp_path: Path) -> None:
    async with watched(tmp_path) as found:
        await whole(found)
        shutil.rmtree(found.scud)
        found.scud.write_text("in the way")
        async with asyncio.timeout(PATIENCE):
            while not found.upkeep.notices:
                await asyncio.to_thread(os.sched_yield)
        assert "cannot be written anew" in found.upkeep.notices[0]
        assert found.told.empty()
        found.scud.unlink()
        async with asyncio.timeout(PATIENCE):
            while found.told.empty():
                found.watch.look_soon()
                await asyncio.to_thread(os.sched_yield)
        assert [notice for notice in found.upkeep.notices if "cannot be written anew" in notice] == []


async def whole(found: Watched) -> None:
    """Wait until the watch stands, over what is whole."""
    async with asyncio.timeout(PATIENCE):
        while (found.watch._is_blind and found.watch._inotify is not None) or not found.watch._was_whole:
            await asyncio.to_thread(os.sched_yield)
        while not found.upkeep.is_whole():
            await asyncio.to_thread(os.sched_yield)
