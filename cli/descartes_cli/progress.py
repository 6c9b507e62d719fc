"""Tell a person that something lasts."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

from descartes_cli.render import cut, width

#: Nobody wonders before this; then the line is written anew each time (seconds).
_EVERY = 1.0


@contextlib.contextmanager
def lasting(what: str) -> Iterator[None]:
    """While the block lasts, and only once it has lasted a second, say so on a terminal: "stopping shop … 3 s"."""
    if not sys.stderr.isatty() or signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0):
        yield
        return
    began, told = time.monotonic(), False

    def tell(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        told = True
        _show(what, f" … {time.monotonic() - began:.0f} s ")

    before = signal.signal(signal.SIGALRM, tell)
    signal.setitimer(signal.ITIMER_REAL, _EVERY, _EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if told:
            _write("\r\x1b[K")


def _show(what: str, time_taken: str) -> None:
    """Write both over what stands in this line: what is longer than the line would be written below it each time."""
    room = (_terminal_width() or 80) - width(time_taken) - 1
    _write(f"\r{cut(what, max(room, 8))}{time_taken}\x1b[K")


def _write(text: str) -> None:
    # Not by sys.stderr: the signal may have come while something was written there.
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))


def _terminal_width() -> int:
    try:
        return os.get_terminal_size(2).columns
    except OSError:
        return 0
