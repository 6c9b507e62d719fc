"""Read the tree of tasks as it lies there, unless somebody is writing it.

SCUD empties the file before it locks it, and locks it while it writes. So a file that is locked, empty, or has a hole
where another writer emptied it is one that is being written; whoever reads it tries again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from descartes_core.scud import graph, json_tree
from descartes_core.scud.task import Graph
from descartes_daemon.tree_watch import EMPTY_JSON, GRAPH, PLACES
from descartes_local.regular_file import NotRegular, open_regular

#: A hundred thousand tasks have some 30 MB.
LARGEST = 64 * 1024 * 1024
#: Within this time two changes may leave the same stamp (seconds): file systems count by a clock's ticks.
_TICK = 0.1

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """What lies there."""

    #: Of PLACES; None: no tree at all.
    place: str | None
    #: Of all places; None: not to be believed, look again next time.
    stamps: tuple[Stamp | None, ...] | None
    #: None: somebody is writing it.
    data: bytes | None = None
    #: Why it cannot be read.
    trouble: str | None = None

    @property
    def is_busy(self) -> bool:
        """Whether somebody is writing it."""
        return self.place is not None and self.data is None

    @property
    def is_hollow(self) -> bool:
        """Whether it is empty, or has a hole, or no task."""
        if self.place is None or self.data is None:
            return False
        return b"\0" in self.data or (b"|" if self.place == GRAPH else b'"id"') not in self.data


def stamps(workspace: Path) -> tuple[Stamp | None, ...]:
    """Return by what a change of any of the places is known."""
    return tuple(_stamp(workspace / place) for place in PLACES)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def read(workspace: Path) -> Seen:
    """Return the first of the places at which a tree lies; in a thread."""
    before = stamps(workspace)
    for place, stamp in zip(PLACES, before, strict=True):
        if stamp is None or (place != GRAPH and stamp[1] <= EMPTY_JSON):
            continue
        try:
            data = content(workspace / place)
        except FileNotFoundError:
            continue
        except (OSError, NotRegular) as error:
            # It may be readable again without another stamp: by other rights, or more descriptors.
            return Seen(place, None, b"", f"{place} cannot be read: {getattr(error, 'strerror', None) or error}")
        return Seen(place, _believable(before, stamps(workspace)), data)
    return Seen(None, before)


def content(path: Path) -> bytes | None:
    """Return the bytes of a file; None where somebody is writing it.

    Raises:
        OSError: it cannot be read.
        NotRegular: it is no file, or too large for a tree.

    """
    descriptor = open_regular(path)
    try:
        size = os.fstat(descriptor).st_size
        if size > LARGEST:
            raise NotRegular(f"it has {size} bytes, more than {LARGEST}")
        with _locked(descriptor) as is_ours, open(descriptor, "rb", closefd=False) as file:
            return file.read() if is_ours else None
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(descriptor: int) -> Iterator[bool]:
    """Keep writers away for the block; False where one has it already."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    except OSError:
        yield True  # no file system for locks: then nobody locks
        return
    try:
        yield True
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _believable(before: tuple[Stamp | None, ...], after: tuple[Stamp | None, ...]) -> tuple[Stamp | None, ...] | None:
    newest = max((stamp[0] for stamp in after if stamp), default=0)
    return after if before == after and time.time_ns() - newest > _TICK * 1e9 else None


def parse(place: str, data: bytes) -> Graph:
    """Return the tree that a file of this place has; in a thread."""
    text = data.decode(errors="replace")
    return graph.parse(text) if place == GRAPH else json_tree.parse(text)
