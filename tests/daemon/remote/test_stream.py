"""A stream's pieces come into its log once, in order, and no faster than the disk takes them."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.bus.messages import Output
from descartes_daemon.output_log import OutputLog
from descartes_daemon.remote.stream import WINDOW, Stream


class Runner:
    """Gives pieces of what was said, as a runner does under credit."""

    def __init__(self, directory: Path) -> None:
        self.credits: list[tuple[int, int]] = []
        self.log = OutputLog(directory)
        self.stream = Stream(self.log, self.credit)
        self.stream.open()

    def credit(self, stream: str, offset: int, until: int) -> bool:
        assert stream == "stdout"
        self.credits.append((offset, until))
        return True

    def say(self, offset: int, data: bytes, **more: object) -> None:
        self.stream.came(Output(agent_id="a", offset=offset, data=data, **more))  # type: ignore[arg-type]

    @property
    def said(self) -> bytes:
        return self.log.path.read_bytes()


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Runner]:
    made = Runner(tmp_path)
    made.stream.ask()
    yield made
    made.stream.close()
    made.log.close()


@pytest.mark.anyio
async def test_a_piece_counts_only_where_the_log_ends(runner: Runner) -> None:
    runner.say(0, b"hello ")
    runner.say(0, b"hello ")  # again
    runner.say(20, b"far away")  # what came before it is lost
    runner.say(3, b"lo wor")  # some of it again
    runner.say(9, b"ld")
    assert runner.said == b"hello world"
    assert runner.log.size == 11


@given(st.binary(max_size=300), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_whatever_is_lost_or_comes_twice_the_log_is_what_was_said(said: bytes, chance: random.Random) -> None:
    with tempfile.TemporaryDirectory() as directory:
        runner = Runner(Path(directory))
        runner.stream.ask()
        while runner.log.size < len(said):
            at = chance.randint(0, len(said))
            runner.say(at, said[at : at + chance.randint(0, 40)])
            runner.say(runner.log.size, said[runner.log.size : runner.log.size + chance.randint(0, 20)])
        assert runner.said == said
        runner.log.close()


@pytest.mark.anyio
async def test_credit_is_renewed_when_half_of_it_is_used(runner: Runner) -> None:
    assert runner.credits == [(0, WINDOW)]
    piece = bytes(256 * 1024)
    while len(runner.credits) == 1:
        runner.say(runner.log.size, piece)
    assert runner.credits[1] == (runner.log.size, runner.log.size + WINDOW)
    assert WINDOW // 2 < runner.log.size <= WINDOW // 2 + len(piece)


@pytest.mark.anyio
async def test_what_does_not_come_is_asked_for_again(runner: Runner) -> None:
    runner.stream.look(10)  # it may be on its way
    assert len(runner.credits) == 1
    runner.stream.look(10)
    assert runner.credits[1:] == [(0, WINDOW)]
    runner.say(0, bytes(10))
    runner.stream.look(10)
    runner.stream.look(10)
    assert len(runner.credits) == 2


@pytest.mark.anyio
async def test_more_than_was_asked_for_is_not_taken(runner: Runner) -> None:
    runner.say(0, bytes(WINDOW + 1))
    assert runner.log.size == 0
    runner.say(1 << 62, b"", gap="far away")
    assert runner.log.size == 0


@pytest.mark.anyio
async def test_what_the_runner_has_no_more_is_a_gap(runner: Runner) -> None:
    runner.say(0, b"begin")
    runner.say(100, b"end", gap="dropped to keep within output.agent_cap", is_last=True)
    gap = runner.log.gap(5)
    assert gap is not None
    assert (gap.begin, gap.end) == (5, 100)
    assert runner.log.read(100, 10) == b"end"
    assert runner.stream.finished.is_set()


@pytest.mark.anyio
async def test_who_waits_for_an_offset_goes_on_when_it_is_there_or_never_will_be(runner: Runner) -> None:
    waiting = asyncio.create_task(runner.stream.reach(5))
    runner.say(0, b"1234")
    await asyncio.to_thread(os.sched_yield)
    assert not waiting.done()
    runner.say(4, b"5")
    await waiting
    waiting = asyncio.create_task(runner.stream.reach(9))
    runner.say(5, b"", is_last=True)
    await waiting


@pytest.mark.anyio
async def test_a_full_disk_gives_no_credit_until_there_is_room(runner: Runner) -> None:
    runner.say(0, b"some")
    real, runner.log.descriptor = runner.log.descriptor, os.open("/dev/full", os.O_RDWR)
    runner.say(4, b"more")
    assert (runner.stream.trouble, runner.log.size) == ("disk full", 4)
    assert runner.credits[-1] == (4, 4)
    runner.say(4, b"more")  # what was under way counts no more
    runner.stream.look(8)
    runner.stream.look(8)
    assert runner.credits[-1] == (4, 4)
    os.close(runner.log.descriptor)
    runner.log.descriptor = real
    async with asyncio.timeout(10):
        while runner.credits[-1] == (4, 4):
            await asyncio.to_thread(os.sched_yield)
    assert (runner.stream.trouble, runner.credits[-1]) == (None, (4, 4 + WINDOW))
    runner.say(4, b"more")
    assert runner.said == b"somemore"
