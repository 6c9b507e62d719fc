"""The calls of inotify(7) that are needed here.

Our own: the library for it starts a program when it is imported, to look for libc.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

MODIFY, MOVED_FROM, MOVED_TO, DELETE, DELETE_SELF, MOVE_SELF = 0x2, 0x40, 0x80, 0x200, 0x400, 0x800
CLOSE_WRITE, CREATE = 0x8, 0x100
UNMOUNT, OVERFLOW, IGNORED = 0x2000, 0x4000, 0x8000
#: Only where it is a directory; only the first time.
ONLYDIR, ONESHOT = 0x0100_0000, 0x8000_0000
_EVENT = struct.Struct("=iIII")


@dataclass(frozen=True, slots=True)
class Told:
    """One event."""

    #: Which watch; -1 where some were lost.
    number: int
    mask: int
    #: Of the entry in a watched directory, else empty.
    name: bytes


class Inotify:
    """One descriptor that tells of files and directories; making and closing it take the kernel milliseconds each."""

    def __init__(self) -> None:
        """Open it.

        Raises:
            OSError: the system has none, or no more of them.

        """
        self.descriptor = _call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK)

    def add(self, path: Path, mask: int) -> int:
        """Watch what is there; return the number of the watch, the same for the same directory or file.

        Raises:
            OSError: it is not there, or no more can be watched.

        """
        return _call("inotify_add_watch", self.descriptor, os.fsencode(path), ctypes.c_uint32(mask))

    def remove(self, number: int) -> None:
        """Watch it no more.

        Raises:
            OSError: nobody watches it.

        """
        _call("inotify_rm_watch", self.descriptor, number)

    def read(self) -> list[Told]:
        """Return what happened since the last time."""
        try:
            data = os.read(self.descriptor, 65_536)
        except BlockingIOError:
            return []
        told, start = [], 0
        while start < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, start)
            start += _EVENT.size + length
            told.append(Told(number, mask, data[start - length : start].rstrip(b"\0")))
        return told

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)


def _call(name: str, *arguments: object) -> int:
    if sys.platform != "linux":  # pragma: no cover - not Linux
        raise OSError(errno.ENOSYS, "no inotify")
    libc = ctypes.CDLL(None, use_errno=True)
    found: int = getattr(libc, name)(*arguments)
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found
