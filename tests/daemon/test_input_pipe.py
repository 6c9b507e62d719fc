"""A program's stdin: written without waiting, ended everywhere, and refused once nobody reads it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

import pytest

from descartes_core.errors import LimitReached, Refused
from descartes_daemon.input_pipe import InputPipe

pytestmark = pytest.mark.anyio


class Pipe:
    """A pipe, its writing end kept a second time until it is forgotten."""

    def __init__(self) -> None:
        self.out, into = os.pipe()
        self.kept = os.dup(into)
        self.keys = InputPipe(into, self.forget)

    async def forget(self) -> None:
        os.close(self.kept)
        self.kept = -1

    def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (piece := os.read(self.out, 65_536)):
            data += piece
        return data

    def close(self) -> None:
        self.keys.close()
        for descriptor in (self.out, self.kept):
            if descriptor >= 0:
                os.close(descriptor)


@pytest.fixture
async def pipe() -> AsyncIterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


async def test_what_is_written_arrives(pipe: Pipe) -> None:
    pipe.keys.type(b"hello\n")
    await pipe.keys.typed()
    assert pipe.read(6) == b"hello\n"
    assert pipe.keys.enter == b"\n"


async def test_its_end_comes_after_what_waits(pipe: Pipe) -> None:
    words = os.urandom(500_000)
    pipe.keys.type(words)
    pipe.keys.end()
    assert pipe.keys.descriptor >= 0
    with pytest.raises(Refused, match="input has ended"):
        pipe.keys.type(b"more")
    reading = asyncio.create_task(asyncio.to_thread(pipe.read, len(words) + 1))
    async with asyncio.timeout(10):
        await pipe.keys.typed()
    assert await reading == words
    assert (pipe.kept, pipe.keys.descriptor) == (-1, -1)
    pipe.keys.end()
    await pipe.keys.typed()


async def test_too_much_is_refused_whole(pipe: Pipe) -> None:
    pipe.keys.type(b"x" * 1_000_000)
    with pytest.raises(LimitReached, match="does not read its input"):
        pipe.keys.type(b"y" * 200_000)
    assert pipe.keys.is_behind
    assert await asyncio.to_thread(pipe.read, 1_000_000) == b"x" * 1_000_000


async def test_who_reads_no_more_is_told_of(pipe: Pipe) -> None:
    pipe.keys.type(b"x" * 300_000)
    os.close(pipe.out)
    pipe.out = -1
    with pytest.raises(Refused, match="reads its input no more"):
        await pipe.keys.typed()
    with pytest.raises(Refused, match="reads its input no more"):
        pipe.keys.type(b"y")


async def test_one_that_ended_before_is_ended(pipe: Pipe) -> None:
    ended = InputPipe(-1, pipe.forget)
    with pytest.raises(Refused, match="input has ended"):
        ended.type(b"x")
    ended.end()
    await ended.typed()
    ended.close()
