"""Lend the keyboard to an agent, and give it back."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

#: Places in what tcgetattr returns.
_INPUT, _OUTPUT, _CONTROL, _LOCAL, _SPECIAL = 0, 1, 2, 3, 6


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


_ENDS = ((signal.SIGTERM, _end), (signal.SIGHUP, _end))


@contextlib.contextmanager
def ending_in_order() -> Iterator[None]:
    """Let TERM and HUP end the block (SystemExit, 128+n), so that it can give back what it has."""
    handlers = {number: signal.signal(number, action) for number, action in _ENDS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def lent(terminal: int, on_return: Callable[[], None]) -> Iterator[None]:
    """Put a terminal into raw mode for the block; however the block ends, the terminal is as it was before.

    TERM and HUP end the block (SystemExit, 128+n). Where something stops this program, its terminal is given back
    for as long; `on_return` is called when it goes on.
    """
    before = termios.tcgetattr(terminal)
    handlers: dict[int, Any] = {}

    def stop(_number: int, _frame: FrameType | None) -> None:
        _set(terminal, before)
        os.kill(os.getpid(), signal.SIGSTOP)

    def go_on(_number: int, _frame: FrameType | None) -> None:
        _set(terminal, raw(before))
        on_return()

    try:
        for catching, action in (*_ENDS, (signal.SIGTSTP, stop), (signal.SIGCONT, go_on)):
            handlers[catching] = signal.signal(catching, action)
        _set(terminal, raw(before))
        yield
    finally:
        _set(terminal, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def raw(modes: list[Any]) -> list[Any]:
    """Return these modes with every key passed on as it is, and output untouched."""
    changed = [*modes[:_SPECIAL], list(modes[_SPECIAL])]
    changed[_INPUT] &= ~(
        termios.IGNBRK
        | termios.BRKINT
        | termios.PARMRK
        | termios.ISTRIP
        | termios.INLCR
        | termios.IGNCR
        | termios.ICRNL
        | termios.IXON
    )
    changed[_OUTPUT] &= ~termios.OPOST
    changed[_CONTROL] = changed[_CONTROL] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    changed[_LOCAL] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    changed[_SPECIAL][termios.VMIN], changed[_SPECIAL][termios.VTIME] = 1, 0
    return changed


def _set(terminal: int, modes: list[Any]) -> None:
    with contextlib.suppress(termios.error):  # the terminal itself is gone: nothing is left to be given back
        termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
