"""Compress one log, so that at every moment all of its bytes are there.

Written apart → synced → read back and compared → renamed, synced → only then the log becomes a hole of its size. Who is
killed before the rename leaves the log as it was, and a file that the next attempt writes over; who is killed after it
leaves bytes that are there twice, until the next attempt. Readers look for the compressed file after they have read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from descartes_daemon import hole
from descartes_local.cold_log import ColdLog, Damaged, Index, block_size, compress
from descartes_local.log_file import LogFile
from descartes_local.probe import reached

#: What takes less room than this stays as it is: two small files are no gain.
LEAST = 65_536


class Unequal(RuntimeError):
    """What was written does not give back what the log says."""


def is_worth_it(path: Path) -> bool:
    """Say whether a log has enough on the disk to be compressed, or to be given back."""
    try:
        return os.stat(path).st_blocks * 512 >= LEAST
    except OSError:
        return False


def cool(path: Path, begin: int, goes_on: Callable[[], bool]) -> int | None:
    """Compress a log that nobody writes any more from an offset on; in a thread.

    Returns:
        How many bytes it takes now; None when it was told not to go on, or there is nothing to do.

    Raises:
        OSError: the disk is full, or the file system cannot give room back; everything is as it was.
        Unequal: likewise.

    """
    cold = path.with_suffix(".cold")
    size = path.stat().st_size
    known = _known(cold)
    if known is None and size > begin:
        new = cold.with_suffix(".cold.new")
        try:
            if not _write(path, new, begin, size, goes_on):
                return None
            reached("cold.written")
            os.replace(new, cold)
        finally:
            new.unlink(missing_ok=True)
        _sync_directory(cold.parent)
        reached("cold.renamed")
        known = begin, size
    if known is None:
        return None
    _give_back(path, cold, known)
    reached("cold.given_back")
    return cold.stat().st_size


def _known(cold: Path) -> tuple[int, int] | None:
    """Return what a compressed file that is there already has of its log."""
    try:
        with ColdLog(cold) as found:
            return found.index.first, found.index.end
    except FileNotFoundError:
        return None


def _write(path: Path, new: Path, begin: int, size: int, goes_on: Callable[[], bool]) -> bool:
    """Write the compressed file and look that it says the same; say whether it came to its end."""
    with LogFile(path) as log, open(new, "wb", opener=_private) as file:
        block, places, offset = block_size(size - begin), [0], begin
        while offset < size:
            piece = log.read(offset, min(block, size - offset))
            if not piece or not goes_on():
                return False
            places.append(places[-1] + file.write(compress(piece)))
            offset += len(piece)
        file.write(Index(begin, size, block, tuple(places)).as_bytes())
        file.flush()
        os.fsync(file.fileno())
        # When it was written is known of the log alone, where its program wrote it.
        written = os.stat(path)
        os.utime(file.fileno(), ns=(written.st_atime_ns, written.st_mtime_ns))
        return _is_equal(log, new, goes_on)


def _is_equal(log: LogFile, new: Path, goes_on: Callable[[], bool]) -> bool:
    with ColdLog(new) as cold:
        index = cold.index
        for offset in range(index.first, index.end, index.block):
            if not goes_on():
                return False
            try:
                same = cold.read(offset, index.block) == log.read(offset, min(index.block, index.end - offset))
            except Damaged:
                same = False
            if not same:
                raise Unequal(f"{new}: what was written at offset {offset} reads otherwise")
    return True


def _give_back(path: Path, cold: Path, known: tuple[int, int]) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        hole.punch(descriptor, *known)
        written = os.stat(cold)
        os.utime(descriptor, ns=(written.st_atime_ns, written.st_mtime_ns))
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
