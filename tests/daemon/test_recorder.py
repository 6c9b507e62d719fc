"""Output reaches the log byte for byte, whatever the terminal, the disk and the program do."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from descartes_daemon import loudness
from descartes_daemon.gaps import FULL_DISK, Gap
from descartes_daemon.output_log import OutputLog
from descartes_daemon.recorder import Plumbing, Recorder, _waiting_in, close_pipe, make_pipe
from tests.support.inside import open_inside
from tests.support.programs import agent

pytestmark = pytest.mark.anyio

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")


@contextlib.contextmanager
def recording(directory: Path, *, drops: bool = False) -> Iterator[tuple[int, OutputLog, Recorder]]:
    """Record a terminal: yield its other side, its log and its recorder."""
    master, slave = os.openpty()
    os.set_blocking(master, False)
    log = OutputLog(directory)
    log.drops_when_full = drops
    log.open()
    plumbing = Plumbing(master, *make_pipe())
    recorder = Recorder(plumbing, log)
    try:
        yield slave, log, recorder
    finally:
        recorder.stop()
        log.close()
        close_pipe(plumbing)
        os.close(master)
        with contextlib.suppress(OSError):
            os.close(slave)


@contextlib.contextmanager
def small_disk(directory: Path, size: int) -> Iterator[Path]:
    """Mount a disk that holds this many bytes."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def make_room(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)


async def grown(log: OutputLog, size: int) -> None:
    grew = asyncio.Event()
    log.followers.add(grew.set)
    async with asyncio.timeout(20):
        while log.size < size:
            grew.clear()
            await grew.wait()


def pass_turns(count: int, then: Callable[[], None]) -> None:
    """Let so many turns of the loop go by."""
    if count:
        asyncio.get_running_loop().call_soon(pass_turns, count - 1, then)
    else:
        then()


async def test_a_flood_is_recorded_byte_for_byte(short: Path) -> None:
    async with open_inside(short) as inside:
        checksum = short / "checksum"
        spawned = await inside.spawn(agent("loud", 100_000, "--checksum", checksum, "--code", 7))
        assert (await inside.ended(spawned["id"]))["exit_code"] == 7
        said = await inside.output(spawned["id"])
        assert {"bytes": len(said), "sha256": hashlib.sha256(said).hexdigest()} == json.loads(checksum.read_text())
        assert (await inside.call("agent.get", agent_id=spawned["id"]))["agent"]["output_bytes"] == len(said)


async def test_a_loud_agent_leaves_turns_of_the_loop_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loudness, "_BURST", 0.0)  # whoever says anything is loud
    with recording(tmp_path) as (slave, log, recorder):
        pieces: list[int] = []
        log.on_growth = lambda _log, count: pieces.append(count)
        loud = await asyncio.create_subprocess_exec("yes", "x" * 99, stdout=slave)
        recorder.start()
        await grown(log, 100_000)
        pieces.clear()
        found = asyncio.get_running_loop().create_future()
        pass_turns(700, lambda: found.set_result(len(pieces)))
        assert await found <= 101, "between two pieces six turns are left to others"
        loud.kill()
        await loud.wait()
        os.close(slave)
        async with asyncio.timeout(20):
            await recorder.finished.wait()


async def test_who_sees_the_exit_code_can_read_everything(short: Path) -> None:
    async with open_inside(short) as inside:
        for _ in range(20):
            spawned = await inside.spawn(["sh", "-c", "seq 2000; echo done"])
            await inside.ended(spawned["id"])
            assert (await inside.output(spawned["id"])).endswith(b"2000\r\ndone\r\n")


async def test_a_terminal_closed_and_opened_again_goes_on(short: Path) -> None:
    """A hang-up (EIO) was once taken for the end: what came after /dev/tty was opened anew was lost."""
    async with open_inside(short) as inside:
        spawned = await inside.spawn(agent("closer"), leave=True)
        ended = await inside.ended(spawned["id"])
        assert ended["exit_code"] == 5
        said = await inside.output(spawned["id"], follow=True)
        assert said == b"before\r\nagain\r\nafter the end\r\n"


async def test_what_an_earlier_daemon_left_in_the_pipe_comes_first(tmp_path: Path) -> None:
    """It once lay there until the program said something more, which a waiting one never does."""
    with recording(tmp_path) as (slave, log, recorder):
        os.write(recorder._pipes.pipe_in, b"left ")
        recorder.start()
        assert log.read(0, 100) == b"left "
        os.write(slave, b"more")
        await grown(log, 9)
        assert log.read(0, 100) == b"left more"


async def test_recording_goes_on_at_the_end_of_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_bytes(b"before, ")
    with recording(tmp_path) as (slave, log, recorder):
        recorder.start()
        os.write(slave, b"after")
        await grown(log, 13)
        assert (tmp_path / "output.log").read_bytes() == b"before, after"


@pytest.mark.parametrize("refused", ["_takes_by_splice", "_stores_by_splice"])
async def test_without_splice_the_bytes_are_the_same(tmp_path: Path, refused: str) -> None:
    with recording(tmp_path) as (slave, log, recorder):
        setattr(recorder, refused, False)
        assert recorder.way == "copy"
        recorder.start()
        flood = os.urandom(3_000_000).hex().encode()
        writing = asyncio.create_task(asyncio.to_thread(write_all, slave, flood))
        await grown(log, len(flood))
        await writing
        assert (tmp_path / "output.log").read_bytes() == flood


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


async def test_a_log_that_refuses_splice_is_copied_to(tmp_path: Path) -> None:
    """A file opened for appending refuses splice (EINVAL), as some file systems do for every file."""
    with recording(tmp_path) as (slave, log, recorder):
        os.close(log.descriptor)
        log.descriptor = os.open(log.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        assert recorder.way == "splice"
        recorder.start()
        os.write(slave, b"some words")
        await grown(log, 10)
        assert recorder.way == "copy"
        assert log.read(0, 100) == b"some words"


async def test_the_hang_up_ends_it_once_all_is_stored(tmp_path: Path) -> None:
    with recording(tmp_path) as (slave, log, recorder):
        recorder.start()
        os.write(slave, b"last words")
        os.close(slave)
        async with asyncio.timeout(10):
            await recorder.finished.wait()
        assert log.read(0, 100) == b"last words"


@needs_root
@pytest.mark.parametrize("way", ["splice", "copy"])
async def test_a_full_disk_makes_the_program_wait_and_loses_nothing(tmp_path: Path, way: str) -> None:
    flood = os.urandom(500_000).hex().encode()
    with small_disk(tmp_path / "disk", 400_000) as disk, recording(disk) as (slave, log, recorder):
        recorder._stores_by_splice = way == "splice"
        recorder.start()
        writing = asyncio.create_task(asyncio.to_thread(write_all, slave, flood))
        async with asyncio.timeout(20):
            # A turn that finds the disk full may store nothing, and then tells no follower.
            while recorder.trouble is None:
                await asyncio.to_thread(os.sched_yield)
        assert recorder.trouble == "disk full"
        assert not writing.done()
        assert not recorder.finished.is_set()
        make_room(disk)
        await grown(log, len(flood))
        await writing
        assert log.path.read_bytes() == flood
        assert recorder.trouble is None


@needs_root
async def test_an_end_on_a_full_disk_is_drained_once_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 65_536) as disk, recording(disk) as (slave, log, recorder):
        (disk / "filler").write_bytes(b"x" * 49_152)
        with contextlib.suppress(OSError), (disk / "more").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 4096):
                pass
        recorder.start()
        os.write(slave, b"last words")
        os.close(slave)
        async with asyncio.timeout(10):
            while recorder.trouble is None:
                await asyncio.to_thread(os.sched_yield)
        (disk / "filler").unlink()
        async with asyncio.timeout(10):
            await recorder.finished.wait()
        assert log.read(0, 100) == b"last words"


async def test_a_disk_that_fails_is_no_hang_up(tmp_path: Path) -> None:
    """EIO of the log was once taken for EIO of the terminal: the rest was never recorded."""
    with recording(tmp_path) as (slave, log, recorder):
        real, log.descriptor = log.descriptor, os.open("/dev/full", os.O_RDWR)
        recorder._stores_by_splice = False
        os.write(slave, b"words")
        recorder.start()
        assert recorder.trouble == "disk full"
        recorder.trouble = None
        os.close(log.descriptor)
        log.descriptor = os.open(tmp_path, os.O_RDONLY)  # refuses every write: EBADF
        recorder._turn()
        assert recorder.trouble == os.strerror(errno.EBADF)
        assert not recorder.finished.is_set()
        os.close(log.descriptor)
        log.descriptor = real
        await grown(log, 5)
        assert log.read(0, 100) == b"words"


@needs_root
@pytest.mark.parametrize("way", ["splice", "copy"])
async def test_a_full_disk_may_cost_output_but_no_time(tmp_path: Path, way: str) -> None:
    """With output.on_full_disk = drop the program never waits; what is lost is one gap, and offsets go on."""
    flood = os.urandom(500_000).hex().encode()
    gaps: list[Gap] = []
    troubles: list[str | None] = []
    with small_disk(tmp_path / "disk", 400_000) as disk, recording(disk, drops=True) as (slave, log, recorder):
        log.on_gap = lambda _log, gap: gaps.append(gap)
        log.on_trouble = lambda _log, trouble: troubles.append(trouble)
        recorder._stores_by_splice = way == "splice"
        recorder.start()
        await asyncio.to_thread(write_all, slave, flood)
        async with asyncio.timeout(20):
            while log.size + log._lost < len(flood):
                await asyncio.to_thread(os.sched_yield)
        assert recorder.trouble == "disk full"
        make_room(disk)
        async with asyncio.timeout(20):
            while recorder.trouble is not None:
                await asyncio.to_thread(os.sched_yield)
        os.write(slave, b"after")
        await grown(log, len(flood) + 5)
        (gap,) = gaps
        assert gap.end == len(flood)
        assert log.read(0, len(flood)) == flood[: gap.begin]
        assert log.gap(gap.begin) == gap
        assert log.read(gap.end, 100) == b"after"
        assert troubles == ["disk full", None]
        assert OutputLog(disk).gap(gap.begin) == gap


@needs_root
async def test_what_is_lost_at_the_end_is_told_at_the_end(tmp_path: Path) -> None:
    gaps: list[Gap] = []
    with small_disk(tmp_path / "disk", 131_072) as disk, recording(disk, drops=True) as (slave, log, recorder):
        log.on_gap = lambda _log, gap: gaps.append(gap)
        recorder.start()
        await asyncio.to_thread(write_all, slave, b"x" * 400_000)
        os.close(slave)
        async with asyncio.timeout(10):
            await recorder.finished.wait()
        recorder.stop()
        log.close()
        assert (log.size, gaps[0].end, log.path.stat().st_size) == (400_000, 400_000, 400_000)
        assert OutputLog(disk).gap(gaps[0].begin) == gaps[0]


async def test_what_is_lost_is_written_down_before_it_is_thrown_away(tmp_path: Path) -> None:
    """Up to 64 KiB were once gone without a trace where the daemon was killed in between."""
    with recording(tmp_path, drops=True) as (slave, log, recorder):
        real, log.descriptor = log.descriptor, os.open("/dev/full", os.O_RDWR)
        spare, log.gaps._descriptor = log.gaps._descriptor, os.open("/dev/full", os.O_RDWR)
        recorder._stores_by_splice = False
        os.write(slave, b"first words, ")
        recorder.start()
        assert recorder.trouble == "disk full, even for a note of what would be lost"
        assert log.gaps.all == []
        os.close(log.gaps._descriptor)
        log.gaps._descriptor = spare
        lose, seen = log.lose, []

        def written_down(count: int) -> bool:
            seen.append((count, len(recorder._held) + _waiting_in(recorder._pipes.pipe_out)))
            return lose(count)

        log.lose = written_down  # type: ignore[method-assign]
        async with asyncio.timeout(10):
            while not log.gaps.all:
                await asyncio.to_thread(os.sched_yield)
        assert seen == [(13, 13)]
        assert log.gaps.all == [(0, 13)]
        os.close(log.descriptor)
        log.descriptor = real
        os.lseek(real, 13, os.SEEK_SET)
        async with asyncio.timeout(10):
            while recorder.trouble is not None:
                await asyncio.to_thread(os.sched_yield)
        os.write(slave, b"last words")
        await grown(log, 23)
        assert (log.gap(0), log.read(13, 100)) == (Gap(0, 13, FULL_DISK), b"last words")
