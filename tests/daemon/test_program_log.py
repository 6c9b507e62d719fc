"""The log of a program that writes itself: its growth is told to who follows, and counted for who does not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from descartes_daemon import program_log
from descartes_daemon.growth import Growth
from descartes_daemon.program_log import ProgramLog
from tests.support.inside import PATIENCE, open_inside

pytestmark = pytest.mark.anyio


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[ProgramLog]:
    growth = Growth()
    log = ProgramLog(tmp_path / "agent", "output", growth)
    log.open()
    yield log
    log.close()
    growth.close()


def write(log: ProgramLog, data: bytes) -> None:
    """Write as a program does."""
    descriptor = log.for_program()
    os.write(descriptor, data)
    os.close(descriptor)


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await event.wait()


async def test_its_size_is_that_of_the_file(log: ProgramLog) -> None:
    assert log.size == 0
    write(log, b"hello")
    assert log.size == 5
    assert log.read(1, 100) == b"ello"
    assert log.read_apart(5, 100) == b""


async def test_growth_is_told_to_who_follows(log: ProgramLog) -> None:
    grew = asyncio.Event()
    log.followers.add(grew.set)
    for piece in (b"one", b"two"):
        grew.clear()
        write(log, piece)
        await happens(grew)
    log.followers.discard(grew.set)
    assert log.size == 6


async def test_what_came_just_before_somebody_followed_is_told(log: ProgramLog) -> None:
    """Who has looked and then waits must not miss what was written in between."""
    assert log.size == 0
    write(log, b"x")
    grew = asyncio.Event()
    log.followers.add(grew.set)
    await happens(grew)
    log.followers.discard(grew.set)


async def test_many_follow_and_leave(log: ProgramLog) -> None:
    events = [asyncio.Event() for _ in range(3)]
    for event in events:
        log.followers.add(event.set)
    log.followers.discard(events[0].set)
    write(log, b"x")
    for event in events[1:]:
        await happens(event)
        log.followers.discard(event.set)
    assert not events[0].is_set()


async def test_without_a_follower_growth_is_counted_all_the_same(
    log: ProgramLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So caps hold for those whom nobody looks at: after a rest the first byte wakes, then it is looked at by times."""
    monkeypatch.setattr(program_log, "_LOOK_EVERY", 0.01)
    counted, more = 0, asyncio.Event()

    def count(_log: object, number: int) -> None:
        nonlocal counted
        counted += number
        more.set()

    log.on_growth = count
    for expected in (5, 10, 15):
        more.clear()
        write(log, b"12345")
        await happens(more)
        assert counted == expected
        async with asyncio.timeout(PATIENCE):
            while log._timer is not None:  # until it rests
                await asyncio.get_running_loop().run_in_executor(None, os.getpid)
    assert log._unwatch is not None


async def test_at_its_end_all_is_counted_and_told(log: ProgramLog) -> None:
    counted: list[int] = []
    log.on_growth = lambda _log, number: counted.append(number)
    ended = asyncio.Event()
    log.followers.add(ended.set)
    write(log, b"last")
    log.close()
    assert sum(counted) == 4
    assert ended.is_set()
    assert log.is_ended
    assert log.read(0, 10) == b"last"
    log.followers.discard(ended.set)
    write(log, b" words")
    assert log.size == 10


async def test_a_program_may_cut_its_own_log(log: ProgramLog) -> None:
    counted: list[int] = []
    log.on_growth = lambda _log, number: counted.append(number)
    grew = asyncio.Event()
    log.followers.add(grew.set)
    write(log, b"0123456789")
    await happens(grew)
    grew.clear()
    log.path.write_bytes(b"")
    await happens(grew)
    assert (log.size, log.read(0, 10), log.read(5, 10)) == (0, b"", b"")
    write(log, b"new")
    assert log.size == 3
    log.followers.discard(grew.set)
    log.close()
    assert sum(counted) == 3


async def test_what_a_program_says_after_it_cut_its_log_is_read_though_more_had_been_dropped(log: ProgramLog) -> None:
    counted: list[int] = []
    anew = asyncio.Event()
    log.on_growth = lambda _log, number: counted.append(number)
    log.on_cut = lambda _log: anew.set()
    write(log, b"x" * 20_000)
    assert log.size == 20_000
    log.drop(8192)
    log.path.write_bytes(b"")
    write(log, b"new")
    assert (log.size, log.begin, log.read(0, 10), log.gap(0), log.kept) == (3, 0, b"new", None, 3)
    assert anew.is_set()
    log.close()
    assert sum(counted) == log.kept + 8192  # which were taken off when they were dropped


async def test_what_was_said_after_a_cut_is_never_given_back(log: ProgramLog) -> None:
    """The program may cut it between the decision to drop and the punch."""
    write(log, b"x" * 20_000)
    log.path.write_bytes(b"")
    write(log, b"new")
    log.begin = 8192
    log.punch()
    assert log.path.read_bytes() == b"new"
    log.drop(8192)
    assert (log.begin, log.read(0, 10)) == (0, b"new")


async def test_a_log_that_was_removed_is_read_as_long_as_it_is_open(log: ProgramLog) -> None:
    program = log.for_program()
    os.write(program, b"12345")
    assert log.size == 5
    log.path.unlink()
    os.write(program, b"67890")
    os.close(program)
    assert log.size == 10
    assert log.read(0, 100) == b"1234567890"
    grew = asyncio.Event()
    log.followers.add(grew.set)  # what cannot be watched is looked at by a timer
    log.followers.discard(grew.set)


async def test_what_is_dropped_moves_no_writer(log: ProgramLog) -> None:
    """Its descriptor is O_APPEND: an offset stays a position."""
    descriptor = log.for_program()
    os.write(descriptor, b"x" * 20_000)
    log.drop(8192)
    log.punch()
    os.write(descriptor, b"end")
    os.close(descriptor)
    assert log.size == 20_003
    assert log.read(0, 10) == b""
    assert log.read(20_000, 10) == b"end"
    assert (log.gap(0) or (0, 0))[1] == 8192


async def test_the_caps_hold_for_a_flood_that_nobody_follows(short: Path) -> None:
    (short / "home").mkdir()
    (short / "home" / "config.toml").write_text("[output]\nagent_cap = 4194304\n")
    async with open_inside(short) as inside:
        flood = "head -c 30000000 /dev/zero | tr '\\0' x; head -c 30000000 /dev/zero | tr '\\0' y >&2; cat"
        spawned = await inside.spawn(["sh", "-c", flood], tty=False)
        agent = inside.agent(spawned["id"])
        async with asyncio.timeout(PATIENCE):
            while any(log.size < 30_000_000 or log.path.stat().st_blocks * 512 > 5_000_000 for log in agent.logs):
                await inside.call("agent.list")
        reply = await inside.call("agent.output", agent_id=spawned["id"], stream="stderr", offset=0)
        assert reply["gap"]["begin"] == 0
        assert reply["gap"]["end"] == reply["offset"] > 25_000_000
        dropped = [
            event["data"]["stream"]
            for event in (await inside.call("event.list"))["events"]
            if event["event_type"] == "output_dropped"
        ]
        assert set(dropped) == {"stdout", "stderr"}
        await inside.call("agent.write", agent_id=spawned["id"], eof=True)
        assert (await inside.ended(spawned["id"]))["exit_code"] == 0
