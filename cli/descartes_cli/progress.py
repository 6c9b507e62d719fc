"""Tell a person that something lasts."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

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
        sys.stderr.write(f"\r{what} … {time.monotonic() - began:.0f} s ")
        sys.stderr.flush()

    before = signal.signal(signal.SIGALRM, tell)
    signal.setitimer(signal.ITIMER_REAL, _EVERY, _EVERY)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if told:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
