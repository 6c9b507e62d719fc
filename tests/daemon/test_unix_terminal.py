"""Frames both ways on a Unix connection; who takes nothing holds up nobody."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from descartes_core.frames import bytes_frame
from descartes_core.jsonrpc import request
from descartes_daemon import unix_terminal
from descartes_daemon.unix_rpc import UnixConnection
from tests.support.attached import an_echoer, attached, reader
from tests.support.inside import Inside, open_inside

pytestmark = pytest.mark.anyio


def the_door(inside: Inside) -> UnixConnection:
    """Return the daemon's side of the only terminal."""
    (door,) = [one for one in inside.daemon.door.connections if one._terminal is not None]
    return door


def transport_of(inside: Inside) -> Any:
    """Return what carries the only terminal."""
    return the_door(inside)._transport


async def test_a_stalled_watcher_costs_no_memory_and_loses_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "read go; seq 400000"])
        line = await attached(inside, spawned["id"], offset=0)
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await inside.call("agent.write", agent_id=spawned["id"], text="\n")
        await inside.ended(spawned["id"])
        assert transport_of(inside).get_write_buffer_size() < 300_000
        line.writer.transport.resume_reading()  # type: ignore[attr-defined]
        seen = await line.shown(b"\n400000\r\n")
        assert seen == await inside.output(spawned["id"])
        assert (await line.frame("exit"))["exit_code"] == 0


async def test_who_takes_nothing_after_the_end_is_let_go(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix_terminal, "STUCK_AFTER", 0.1)
    async with open_inside(short) as inside:
        spawned = await inside.spawn(["sh", "-c", "read go; seq 400000"])
        line = await attached(inside, spawned["id"], offset=0)
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await inside.call("agent.write", agent_id=spawned["id"], text="\n")
        while any(one._terminal for one in inside.daemon.door.connections):
            await inside.call("system.health")
        line.writer.transport.resume_reading()  # type: ignore[attr-defined]
        while await line.frame() is not None:
            pass


async def test_who_vanishes_leaves_nothing_behind(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        for _ in range(100):
            line = await attached(inside, identity)
            line.writer.transport.abort()
        while inside.agent(identity).listeners:
            await inside.call("system.health")
        assert inside.agent(identity).log.followers == set()
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("screen of")]


async def test_a_large_paste_arrives_whole(short: Path) -> None:
    """What a program did not read in time was once thrown away beyond a megabyte."""
    pasted = os.urandom(3_000_000)
    go = short / "go"
    os.mkfifo(go)
    async with open_inside(short) as inside:
        spawned = await inside.spawn(reader(len(pasted), go))
        line = await attached(inside, spawned["id"], offset=0)
        await line.shown(b"ready")
        for start in range(0, len(pasted), 50_000):
            line.type(pasted[start : start + 50_000])
        while transport_of(inside).is_reading():
            await inside.call("system.health")
        await asyncio.to_thread(go.write_text, "go")
        assert await line.shown(hashlib.sha256(pasted).hexdigest().encode())


async def test_what_comes_with_the_call_is_typed(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await inside.line()
        call = request("agent.attach", {"agent_id": identity, "offset": 7}, 1)
        line.writer.write(call + bytes_frame(b"early\n"))
        assert (await line.heard())["result"]["agent"]["id"] == identity
        assert b"heard: early" in await line.shown(b"heard: early")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"xxxxxxxx",
        b"B\xff\xff\xff\xff",
        b"J\0\0\0\x02[]",
        b"J\0\0\0\x01{",
        b'J\0\0\0\x24{"type":"input","data":"\\ud800"}      ',
    ],
)
async def test_what_is_no_frame_closes_the_connection_and_nothing_else(short: Path, nonsense: bytes) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line, other = await attached(inside, identity), await attached(inside, identity)
        line.writer.write(nonsense)
        while await line.frame() is not None:
            pass
        other.type(b"still\n")
        await other.shown(b"heard: still")


async def test_half_a_frame_types_nothing(short: Path) -> None:
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        line = await attached(inside, identity)
        line.writer.write(bytes_frame(b"never\n")[:-2])
        await line.close()
        while inside.agent(identity).listeners:
            await inside.call("system.health")
        assert await inside.output(identity) == b"ready\r\n"


async def test_half_frames_count_as_half_lines_do(short: Path) -> None:
    """Each may have ten megabytes, and terminals were not looked at."""
    (short / "home").mkdir()
    (short / "home" / "config.toml").write_text("[server]\nmax_message = 65536\n")
    async with open_inside(short) as inside:
        identity = await an_echoer(inside)
        lines = [await attached(inside, identity) for _ in range(3)]
        half = bytes_frame(b"x" * 200_000)[:-1]
        for line in lines[:2]:
            line.writer.write(half)
        gone = [asyncio.create_task(line.frame("none of this kind")) for line in lines]
        done, _ = await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        assert (len(done), gone[2] in done) == (1, False)
        for one in gone:
            one.cancel()
