"""Give the blocks of a file's front back to the disk, and keep its offsets."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import sys

#: fallocate(2): the size stays; what lies there is given back, and reads as zeros.
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
#: fcntl(2) of macOS, which takes whole blocks only.
_F_PUNCHHOLE, _BLOCK = 99, 4096
#: The file is locked meanwhile, and its recorder waits: half a millisecond a piece.
_PIECE = 8 * 1024 * 1024
#: So far beyond the end of a file nothing can be meanwhile.
_FAR = 1 << 30


def punch(descriptor: int, begin: int, end: int) -> None:
    """Give back what lies in between; may be called in a thread, and again.

    Raises:
        OSError: the file system cannot do that (EOPNOTSUPP), or will not.

    """
    for start in range(begin, end, _PIECE):
        _punch(descriptor, start, min(_PIECE, end - start))


def can_punch(descriptor: int) -> bool:
    """Say whether this file system can do it at all, without doing it."""
    try:
        _punch(descriptor, os.fstat(descriptor).st_size // _BLOCK * _BLOCK + _FAR, _BLOCK)
    except OSError:
        return False
    return True


def is_punched(descriptor: int, end: int) -> bool:
    """Say whether all whole blocks before an offset are given back already."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA) >= end - end % _BLOCK
    except OSError as error:
        return error.errno == errno.ENXIO  # nothing but holes


def has_room(descriptor: int, offset: int, length: int) -> bool:
    """Say whether the disk can take so much more there; it is set aside where that is possible."""
    if not sys.platform.startswith("linux"):  # pragma: no cover - the next write finds out
        return True
    try:
        _fallocate(descriptor, _KEEP_SIZE, offset, length)
    except OSError as error:
        return error.errno in (errno.EOPNOTSUPP, errno.ENOSYS)
    return True


def _punch(descriptor: int, begin: int, length: int) -> None:
    if sys.platform == "linux":
        _fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, begin, length)
    else:  # pragma: no cover - macOS, and whoever has neither
        first = -(-begin // _BLOCK) * _BLOCK
        whole = (begin + length) // _BLOCK * _BLOCK - first
        if whole > 0:
            fcntl.fcntl(descriptor, _F_PUNCHHOLE, struct.pack("=IIqq", 0, 0, first, whole))


def _fallocate(descriptor: int, mode: int, begin: int, length: int) -> None:
    # The library is looked up here: it costs nothing until something is dropped.
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = ctypes.c_int(descriptor), ctypes.c_int(mode), ctypes.c_int64(begin), ctypes.c_int64(length)
    if libc.fallocate(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
