"""Descriptors: how many this process has and may have; and closing those that others gave."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterable

#: Where the system lists a process's own descriptors: Linux, and others.
_LISTS = ("/proc/self/fd", "/dev/fd")


def open_descriptors() -> int | None:
    """Count those that are open; None where nothing tells."""
    for where in _LISTS:
        try:
            # From 6.2 on Linux tells the number as the directory's size: a list of thousands takes milliseconds.
            if where == _LISTS[0] and (count := os.stat(where).st_size):
                return count
            return len(os.listdir(where)) - 1  # the listing itself needs one
        except OSError:
            continue
    return None


def limit_of_descriptors() -> int:
    """Return the soft limit."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def free_descriptors() -> int | None:
    """Return how many more may be opened; None where there is no limit, or nothing tells."""
    limit, count = limit_of_descriptors(), open_descriptors()
    return None if limit == resource.RLIM_INFINITY or count is None else limit - count


def let_go(descriptors: Iterable[int]) -> None:
    """Close descriptors that somebody else gave: what a full disk or a dead server says to it is not ours to hear."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
