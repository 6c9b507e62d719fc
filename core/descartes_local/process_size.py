"""What a process takes: how many threads, how much memory."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

#: What is shared is counted in parts: who shares it with how many.
_PROPORTIONAL = re.compile(rb"^Pss: +([0-9]+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Size:
    """What one process takes at one moment."""

    #: Threads; a process has at least one.
    tasks: int
    #: Bytes of memory, what it shares with others counted whole.
    resident: int


def size_of(pid: int) -> Size | None:
    """Return what a process takes, None where it is gone or cannot be read."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return Size(int(fields[17]), int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))


def proportional_of(pid: int) -> int | None:
    """Return the bytes of memory that are its own share, None where that cannot be read.

    The kernel walks over all of the process's pages for it: some milliseconds a GiB.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            found = _PROPORTIONAL.search(file.read())
    except OSError:
        return None
    return None if found is None else int(found[1]) * 1024
