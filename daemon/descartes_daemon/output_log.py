"""What an agent said: raw bytes on disk, read from any offset.

There is no second copy in memory: everything that shows output reads from an offset here. Beside `output.log` lies
`output.idx`, fixed records of (time, length of the piece, or 0 and the new size of the terminal). It may lag behind
after a crash; the size of the log is the truth.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

#: Unix time, bytes (0: a resize), rows, columns.
INDEX_RECORD = struct.Struct("<dIHH")


class OutputLog:
    """The output of one agent: any number of readers, at most one recorder."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "output.log"
        try:
            self.size = self.path.stat().st_size
        except OSError:
            self.size = 0
        #: Called, in the loop, after the log grew and when it will grow no more.
        self.followers: set[Callable[[], None]] = set()
        self.is_ended = True
        self.descriptor = self._index = -1

    def open(self) -> None:
        """Make it ready for its one recorder.

        Never O_APPEND: splice refuses such a file (EINVAL). The position is the size, taken here, once, by the one
        daemon that holds the session's lock.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.size = os.lseek(self.descriptor, 0, os.SEEK_END)
        index = self.directory / "output.idx"
        self._index = os.open(index, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.is_ended = False

    def grew(self, count: int) -> None:
        """Take note of bytes that the recorder has just stored."""
        self.size += count
        self._note(count, 0, 0)
        self._tell()

    def resized(self, rows: int, cols: int) -> None:
        """Take note of the terminal's new size, at this offset."""
        self._note(0, rows, cols)

    def _note(self, count: int, rows: int, cols: int) -> None:
        try:
            os.write(self._index, INDEX_RECORD.pack(time.time(), count, rows, cols))
        except OSError:
            return  # a full disk: the index may lag, the log is the truth

    def _tell(self) -> None:
        for follower in tuple(self.followers):
            follower()

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from an offset; nothing beyond the end."""
        count = min(limit, self.size - offset)
        if count <= 0:
            return b""
        # Opened anew each time: a reader then never holds a log that is to be closed.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, count, offset)
        finally:
            os.close(descriptor)

    def offset_of_tail(self, lines: int) -> int:
        """Return the offset at which the last `lines` lines begin."""
        if lines == 0:
            return self.size
        # The newline that ends the last line begins no other one.
        wanted = lines + (1 if self.read(self.size - 1, 1) == b"\n" else 0)
        end, found = self.size, 0
        while end > 0:
            start = max(0, end - 65_536)
            piece = self.read(start, end - start)
            position = len(piece)
            while (position := piece.rfind(b"\n", 0, position)) >= 0:
                found += 1
                if found == wanted:
                    return start + position + 1
            end = start
        return 0

    def close(self) -> None:
        """Nothing more will come: close the files and tell the followers."""
        if self.is_ended:
            return
        self.is_ended = True
        os.close(self.descriptor)
        os.close(self._index)
        self._tell()
