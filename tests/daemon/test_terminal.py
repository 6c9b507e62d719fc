"""A terminal is sized, and held open."""

from __future__ import annotations

import os

import pytest

from descartes_core.errors import Refused
from descartes_daemon.terminal import Terminal

pytestmark = pytest.mark.anyio


def other_side(terminal: Terminal) -> int:
    """Open it as a program would, without making it ours."""
    return os.open(terminal.name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


async def test_it_has_the_size_it_was_given(terminal: Terminal) -> None:
    assert terminal.size == (24, 80)
    terminal.resize(50, 132)
    assert terminal.size == (50, 132)
    program = other_side(terminal)
    assert os.get_terminal_size(program) == (132, 50)
    os.close(program)


async def test_it_is_held_open_until_it_is_let_go(terminal: Terminal) -> None:
    os.close(other_side(terminal))
    with pytest.raises(BlockingIOError):
        os.read(terminal.master, 1)
    terminal.let_go()
    with pytest.raises(OSError, match="Input/output error"):
        os.read(terminal.master, 1)


async def test_the_next_daemon_holds_it_again() -> None:
    first = Terminal.open(24, 80)
    second = Terminal(os.dup(first.master))
    second.hold()
    first.close()
    with pytest.raises(BlockingIOError):
        os.read(second.master, 1)
    second.close()


async def test_what_is_closed_has_no_name_and_is_closed_once(terminal: Terminal) -> None:
    terminal.close()
    terminal.close()
    with pytest.raises(Refused):
        _ = terminal.name
