"""Wait for facts, never for time."""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Fact = TypeVar("Fact")

#: How often a fact that nobody announces is looked at again (seconds).
_LOOK = 0.01


def process_gone(pid: int, deadline: float = 10.0) -> None:
    """Wait until a process has ended (reaped or not); its descriptor announces it.

    Raises:
        AssertionError: it is still there after the deadline.

    """
    try:
        descriptor = os.pidfd_open(pid)
    except OSError as error:
        if error.errno == errno.ESRCH:
            return
        raise
    try:
        if not select.select([descriptor], [], [], deadline)[0]:
            raise AssertionError(f"process {pid} is still there after {deadline:g} s")
    finally:
        os.close(descriptor)


def wait_until(fact: Callable[[], Fact], what: str, deadline: float = 10.0) -> Fact:
    """Wait until `fact()` is true and return it; only for facts that nobody announces.

    Prefer a named moment, `event.list` or `agent.output` with `wait`, or `process_gone`.

    Raises:
        AssertionError: it was not true within the deadline.

    """
    end = time.monotonic() + deadline
    pause = threading.Event()
    while not (found := fact()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what}")
        pause.wait(_LOOK)
    return found
