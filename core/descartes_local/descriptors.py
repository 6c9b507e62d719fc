"""How many descriptors this process has open, and how many more it may open."""

from __future__ import annotations

import os
import resource

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
