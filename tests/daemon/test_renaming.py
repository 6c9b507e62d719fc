"""Many renames at once are one write, and each is answered once it is on disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import InvalidParams, Unavailable
from descartes_core.ids import new_id
from descartes_core.messages.sessions import RenameSession
from descartes_daemon.asking import Asking
from descartes_daemon.renaming import Renaming
from descartes_local import session_file
from tests.support.inside import PATIENCE, Inside, open_inside

pytestmark = pytest.mark.anyio


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Mount a disk on which a store fits, and little more."""
    place.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k,mode=700", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> Path:
    """Take all room there is."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return filler


def record_of(inside: Inside) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((inside.daemon.upkeep.workspace / ".scud/session.json").read_text())
    return found


async def renames(inside: Inside) -> list[dict[str, Any]]:
    told = (await inside.call("event.list"))["events"]
    return [one["data"] for one in told if one["event_type"] == "session_renamed"]


async def test_the_name_is_written_told_and_answered(short: Path) -> None:
    async with open_inside(short) as inside:
        reply = await inside.call("session.rename", name="store")
        assert reply["session"]["name"] == record_of(inside)["name"] == "store"
        (told,) = await renames(inside)
        assert (told["was"], told["name"], told["session_id"]) == ("shop", "store", reply["session"]["id"])
        await inside.call("session.rename", name="store")
        assert len(await renames(inside)) == 1


async def test_a_hundred_at_once_are_few_writes_and_the_last_one_stays(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    save = session_file.save

    def counted(workspace: Path, record: Any) -> None:
        written.append(record.name)
        save(workspace, record)

    monkeypatch.setattr(session_file, "save", counted)
    async with open_inside(short) as inside:
        line = await inside.line()
        calls = [
            {"jsonrpc": "2.0", "id": number, "method": "session.rename", "params": {"name": f"shop {number}"}}
            for number in range(100)
        ]
        line.writer.write(b"".join(json.dumps(call).encode() + b"\n" for call in calls))
        answers = {(await line.heard())["id"] for _ in calls}
        assert answers == set(range(100))
        assert len(written) < 50
        assert (written[-1], record_of(inside)["name"]) == ("shop 99", "shop 99")
        chain = await renames(inside)
        assert [one["name"] for one in chain] == [f"shop {number}" for number in range(100)]
        assert [one["was"] for one in chain] == ["shop", *(one["name"] for one in chain[:-1])]


@pytest.mark.parametrize("name", [" ", "a/b", "two\nlines", "x" * 101, "\u2028"])
async def test_a_name_that_cannot_be_one_is_refused(short: Path, name: str) -> None:
    async with open_inside(short) as inside:
        with pytest.raises(InvalidParams, match="name"):
            await inside.call("session.rename", name=name)
        assert await renames(inside) == []


async def test_where_it_cannot_be_written_the_name_stays_and_the_next_try_is_a_try(short: Path) -> None:
    async with open_inside(short) as inside:
        scud = inside.daemon.upkeep.workspace / ".scud"
        scud.rmdir()
        scud.write_text("in the way")
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"session\.json cannot be written"):
                await inside.call("session.rename", name="store")
        assert (await inside.call("session.info"))["session"]["name"] == "shop"
        scud.unlink()
        await inside.call("session.rename", name="store")
        assert record_of(inside)["name"] == "store"
        assert [(one["was"], one["name"]) for one in await renames(inside)] == [("shop", "store")]


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
async def test_where_the_store_has_no_room_it_is_told_once_there_is(short: Path) -> None:
    with small_disk(short / "home") as disk:
        async with open_inside(short) as inside:
            filler = fill(disk)
            with pytest.raises(Unavailable, match=r"state\.db"):
                await inside.call("session.rename", name="store")
            assert record_of(inside)["name"] == "store"
            last = inside.daemon.store.last_seq()
            filler.unlink()
            async with asyncio.timeout(PATIENCE):
                while not await renames(inside):
                    await inside.call("event.list", since=last, wait=1.0)
            assert [(one["was"], one["name"]) for one in await renames(inside)] == [("shop", "store")]


async def test_a_repeat_is_answered_and_not_done_again(short: Path) -> None:
    async with open_inside(short) as inside:
        same = new_id()
        await inside.call("session.rename", name="store", request_id=same)
        await inside.call("session.rename", name="bank")
        assert (await inside.call("session.rename", name="store", request_id=same))["session"]["name"] == "store"
        assert record_of(inside)["name"] == "bank"


async def test_whoever_starts_the_next_daemon_is_told(short: Path) -> None:
    async with open_inside(short) as inside:
        daemon, told = inside.daemon, asyncio.Queue[str]()
        loop = asyncio.get_running_loop()
        renaming = Renaming(
            daemon.upkeep,
            daemon.store,
            daemon.background,
            info=dict,
            tell_keeper=lambda name: loop.call_soon_threadsafe(told.put_nowait, name) and None,
            tell_later=daemon.disk_news.tell,
        )
        await renaming.rename(RenameSession(name="store"), Asking("session.rename", "test"))
        assert await told.get() == "store"
