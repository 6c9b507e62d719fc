"""SCUD's own lock on its file of tasks, and the file while it is held.

SCUD opens the file for writing, which empties it, before it waits for the lock. So whoever holds the lock may find the
file empty at any moment: then a writer stands behind, and writes all of it anew once it has the lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from descartes_core.errors import Locked, NotFound, Refused
from descartes_daemon.tasks.intent import common
from descartes_daemon.tasks.tree_file import LARGEST

#: As patient as SCUD itself (seconds): ten tries more, each after twice the time.
TRIES, FIRST_PAUSE, LONGEST_PAUSE = 10, 0.01, 1.0


class Held:
    """The file while its lock is ours."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> bytes:
        """Return all of it."""
        size = os.fstat(self._descriptor).st_size
        return os.pread(self._descriptor, size + 1, 0)

    def put(self, before: bytes, after: bytes) -> None:
        """Write what is different, in one write, and sync it.

        Raises:
            OSError: it cannot be written, as on a full disk; it is as it was before.

        """
        start, end = _difference(before, after)
        try:
            self._write(after[start:end], start)
            if len(after) < len(before):
                os.ftruncate(self._descriptor, len(after))
            os.fsync(self._descriptor)
        except OSError:
            self.put_whole(before)  # which had room
            raise

    def put_whole(self, after: bytes) -> None:
        """Write all of it, and sync it."""
        self._write(after, 0)
        os.ftruncate(self._descriptor, len(after))
        os.fsync(self._descriptor)

    def _write(self, data: bytes, at: int) -> None:
        while data:
            written = os.pwrite(self._descriptor, data, at)
            data, at = data[written:], at + written


@contextlib.contextmanager
def held(file: Path) -> Iterator[Held]:
    """Hold SCUD's lock for the block.

    Raises:
        NotFound: there is no such file.
        Locked: somebody else holds it for longer than SCUD itself would wait.
        Refused: it cannot be written, or not be locked.

    """
    descriptor = _locked(file)
    try:
        yield Held(descriptor)
    finally:
        os.close(descriptor)


def _locked(file: Path) -> int:
    """Return a descriptor with the lock; each try opens the file anew, as it may be another one by then."""
    pause = FIRST_PAUSE
    for tries in range(TRIES + 1):
        descriptor = _open(file)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
        except OSError as error:
            os.close(descriptor)
            raise Refused(f"{file} cannot be locked, so it is not written: {error.strerror}") from error
        else:
            if _is_at(descriptor, file):
                return descriptor
            os.close(descriptor)
        if tries < TRIES:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
    raise Locked(f"{file} is locked by another writer")


def _open(file: Path) -> int:
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        raise NotFound(f"there is no {file}") from None
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST:
        return descriptor
    os.close(descriptor)
    raise Refused(f"{file} is not written: it is no file, or has more than {LARGEST} bytes")


def _is_at(descriptor: int, file: Path) -> bool:
    """Say whether the open file is still the one that others find there."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    return False


def _difference(before: bytes, after: bytes) -> tuple[int, int]:
    """Return from where to where `after` has to be written."""
    start = common(before, after)
    if len(before) != len(after):
        return start, len(after)
    return start, len(after) - common(before[start:][::-1], after[start:][::-1])
