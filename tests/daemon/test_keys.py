"""What is typed arrives, and holds up nobody."""

from __future__ import annotations

import asyncio
import os

import pytest

from descartes_core.errors import LimitReached, Refused
from descartes_daemon.terminal import Terminal

pytestmark = pytest.mark.anyio


def other_side(terminal: Terminal) -> int:
    """Open it as a program would, without making it ours."""
    return os.open(terminal.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


def read_all(descriptor: int, count: int) -> bytes:
    os.set_blocking(descriptor, True)
    data = b""
    while len(data) < count:
        data += os.read(descriptor, 65_536)
    return data


async def test_what_is_typed_arrives(terminal: Terminal) -> None:
    program = other_side(terminal)
    terminal.keys.type(b"hello\x03\xff")
    await terminal.keys.typed()
    assert os.read(program, 100) == b"hello\x03\xff"
    os.close(program)


async def test_a_program_that_does_not_read_holds_up_nobody(terminal: Terminal) -> None:
    program = other_side(terminal)
    words = os.urandom(300_000)
    terminal.keys.type(words)
    assert terminal.keys.is_behind
    reading = asyncio.create_task(asyncio.to_thread(read_all, program, len(words)))
    async with asyncio.timeout(10):
        await terminal.keys.typed()
    assert await reading == words
    assert not terminal.keys.is_behind
    terminal.keys.type(b"more")
    assert os.read(program, 10) == b"more"
    os.close(program)


async def test_too_much_is_refused_whole(terminal: Terminal) -> None:
    terminal.keys.type(b"x" * 1_000_000)
    with pytest.raises(LimitReached, match="does not read its terminal"):
        terminal.keys.type(b"y" * 100_000)
    program = other_side(terminal)
    assert await asyncio.to_thread(read_all, program, 1_000_000) == b"x" * 1_000_000
    os.close(program)


async def test_who_types_into_a_hung_up_terminal_is_not_kept_waiting(terminal: Terminal) -> None:
    terminal.keys.type(b"x" * 300_000)
    terminal.let_go()
    async with asyncio.timeout(10):
        await terminal.keys.typed()


async def test_the_end_of_input_is_the_terminals_own_key(terminal: Terminal) -> None:
    program = other_side(terminal)
    terminal.keys.end()
    assert os.read(program, 10) == b"\x04"
    os.close(program)


async def test_what_is_closed_is_refused(terminal: Terminal) -> None:
    terminal.keys.type(b"x" * 300_000)
    terminal.close()
    await terminal.keys.typed()
    with pytest.raises(Refused):
        terminal.keys.type(b"x")
