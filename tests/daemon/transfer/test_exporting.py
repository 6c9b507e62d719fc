"""A session is written as it is at one moment, while its agents go on; secrets of this machine stay here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import AlreadyExists, InvalidParams, Refused, Unavailable
from descartes_core.ids import new_id
from descartes_daemon.transfer import exporting
from descartes_daemon.unit import Unit
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio


async def exported(inside: Inside, path: Path, **how: Any) -> dict[str, bytes]:
    """Export the session and return its parts."""
    reply = await inside.call("session.export", path=str(path), **how)
    assert reply["bytes"] == path.stat().st_size
    return parts_of(path)


def parts_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as file:
        return {one.name: file.extractfile(one).read() for one in file}  # type: ignore[union-attr]


def rows_of(state: bytes, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(state)
        return connection.execute(query).fetchall()


async def test_rows_logs_and_what_it_is_are_in_it(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "echo said; echo wrong >&2"], tty=False)
        await inside.ended(spawned["id"])
        parts = await exported(inside, short / "x.tar")
        assert parts[f"agents/{spawned['id']}/output.log"] == b"said\n"
        assert parts[f"agents/{spawned['id']}/errors.log"] == b"wrong\n"
        about = json.loads(parts["descartes-session.json"])
        assert (about["form"], about["agents"], about["session"]["name"]) == (1, 1, "shop")
        assert rows_of(parts["state.db"], "SELECT id, state FROM agents") == [(spawned["id"], "completed")]
        told = [event["seq"] for event in (await inside.call("event.list"))["events"]]
        assert rows_of(parts["state.db"], "SELECT seq FROM events ORDER BY seq") == [(seq,) for seq in told]
        assert not list(inside.daemon.agents.place.data.glob(".export-*"))


async def test_who_lives_goes_on_and_is_in_it(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "while :; do echo $((n+=1)); done"])
        parts = await exported(inside, short / "x.tar")
        said = parts[f"agents/{spawned['id']}/output.log"]
        log = inside.daemon.agents.place.data / "agents" / spawned["id"] / "output.log"
        assert log.read_bytes().startswith(said)
        assert rows_of(parts["state.db"], "SELECT state FROM agents") == [("running",)]
        assert inside.agent(spawned["id"]).is_alive


async def test_requests_and_what_is_still_to_be_ended_stay_here(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["true"])
        await inside.ended(spawned["id"])
        await inside.call("session.collect", request_id=new_id())
        await inside.daemon.store.commit(Unit().remain(spawned["id"], 1, 1, None).note("word", "hush-hush"))
        state = (await exported(inside, short / "x.tar"))["state.db"]
        for table in ("requests", "remains", "meta"):
            assert rows_of(state, f"SELECT * FROM {table}") == []
        assert b"hush-hush" not in state
        await inside.daemon.store.commit(Unit().remain_gone(spawned["id"], 1, 1))


async def test_hooks_and_their_secrets_stay_here(short: Path) -> None:
    async with open_inside(short) as inside:
        url = "http://me:hush-hush@127.0.0.1:9/x?token=hush-hush"
        added = await inside.call("hook.add", url=url, on=["agent.*"], allow_private=True, request_id=new_id())
        state = (await exported(inside, short / "x.tar"))["state.db"]
        for table in ("hooks", "hook_dead"):
            assert rows_of(state, f"SELECT * FROM {table}") == []
        assert rows_of(state, "SELECT count(*) FROM events WHERE event_type = 'hook_added'") == [(1,)]
        whole = (short / "x.tar").read_bytes()
        assert b"hush-hush" not in whole
        assert added["secret"].encode() not in whole


async def test_what_is_dropped_meanwhile_is_known_to_be_gone(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "echo 0123456789"])
        await inside.ended(spawned["id"])
        loop, store = asyncio.get_running_loop(), inside.daemon.store

        def drop(moment: str) -> None:
            if moment == "export.logs_written":
                unit = Unit().set_begin(spawned["id"], "stdout", 7)
                asyncio.run_coroutine_threadsafe(store.commit(unit), loop).result()

        monkeypatch.setattr(exporting, "reached", drop)
        parts = await exported(inside, short / "x.tar")
        assert rows_of(parts["state.db"], "SELECT output_from FROM agents") == [(7,)]


async def test_a_file_that_is_there_stays_unless_it_may_go(short: Path) -> None:
    async with open_inside(short) as inside:
        (short / "x.tar").write_text("mine")
        with pytest.raises(AlreadyExists):
            await exported(inside, short / "x.tar")
        assert (short / "x.tar").read_text() == "mine"
        assert "state.db" in await exported(inside, short / "x.tar", replace=True)
        assert {path.name for path in short.iterdir() if "tar" in path.name} == {"x.tar"}
        with pytest.raises(InvalidParams, match="path"):
            await inside.call("session.export", path="x.tar")
        for directory in ("/", str(short)):
            with pytest.raises(Refused, match="directory"):
                await inside.call("session.export", path=directory)
        with pytest.raises(Unavailable, match="No such file"):
            await inside.call("session.export", path=str(short / "none" / "x.tar"))


async def test_a_repeat_finds_what_its_first_try_made(short: Path) -> None:
    async with open_inside(short) as inside:
        request = new_id()
        first = await inside.call("session.export", path=str(short / "x.tar"), request_id=request)
        with contextlib.closing(sqlite3.connect(inside.daemon.store.path)) as connection, connection:
            connection.execute("DELETE FROM requests")  # its answer was lost with a daemon
        assert await inside.call("session.export", path=str(short / "x.tar"), request_id=request) == first
        os.truncate(short / "x.tar", 100)
        with contextlib.closing(sqlite3.connect(inside.daemon.store.path)) as connection, connection:
            connection.execute("DELETE FROM requests")
        with pytest.raises(AlreadyExists):
            await inside.call("session.export", path=str(short / "x.tar"), request_id=request)


async def test_a_daemon_that_ends_gives_it_up(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_inside(short) as inside:
        room = inside.daemon.rooms.transfer.open()
        monkeypatch.setattr(exporting, "reached", lambda _moment: room._is_over.set())
        with pytest.raises(Unavailable, match="has ended"):
            await inside.call("session.export", path=str(short / "x.tar"))
        assert not (short / "x.tar").exists()
