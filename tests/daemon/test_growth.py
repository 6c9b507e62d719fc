"""Files are watched while somebody wants to know that they grow."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_daemon import growth as growth_module
from descartes_daemon.growth import Growth
from tests.support.inside import PATIENCE
from tests.support.leftovers import open_descriptors

pytestmark = pytest.mark.anyio


@pytest.fixture
async def growth() -> AsyncIterator[Growth]:
    before = open_descriptors()
    growth = Growth()
    yield growth
    growth.close()
    assert open_descriptors() == before


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file"


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await event.wait()


async def settle(growth: Growth, directory: Path) -> None:
    """Wait until all that was written before is told."""
    (directory / "mark").touch()
    marked = asyncio.Event()
    stop = growth.watch(directory / "mark", marked.set)
    append(directory / "mark")
    await happens(marked)
    stop()


async def test_every_write_is_told_until_it_is_stopped(growth: Growth, file: Path) -> None:
    grew = asyncio.Event()
    stop = growth.watch(file, grew.set)
    for _ in range(3):
        grew.clear()
        append(file)
        await happens(grew)
    stop()
    stop()
    grew.clear()
    append(file)
    await settle(growth, file.parent)
    assert not grew.is_set()


async def test_once_is_told_once(growth: Growth, file: Path) -> None:
    times: list[int] = []
    stop = growth.watch(file, lambda: times.append(1), once=True)
    append(file)
    await settle(growth, file.parent)
    append(file)
    await settle(growth, file.parent)
    assert times == [1]
    stop()
    growth.watch(file, lambda: times.append(2), once=True)
    append(file)
    await settle(growth, file.parent)
    assert times == [1, 2]


async def test_it_has_no_descriptor_before_something_is_watched(file: Path) -> None:
    before = open_descriptors()
    growth = Growth()
    assert open_descriptors() == before
    growth.watch(file, lambda: None)
    assert len(open_descriptors()) == len(before) + 1
    growth.close()
    assert open_descriptors() == before


async def test_where_the_system_cannot_tell_who_follows_is_called_by_a_timer(
    growth: Growth, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(growth_module.inotify, "Inotify", refuse)
    monkeypatch.setattr(growth_module, "_LOOK_EVERY", 0.01)
    looked, never = asyncio.Event(), asyncio.Event()
    stop = growth.watch(file, looked.set)
    stop_other = growth.watch(file, never.set, once=True)
    for _ in range(3):
        looked.clear()
        await happens(looked)
    assert not never.is_set()
    stop()
    stop_other()
