"""What an agent said: raw bytes on disk, read from any offset.

There is no second copy in memory: everything that shows output reads from an offset here. Beside `output.log` lies
`output.idx`, fixed records of (time, length of the piece, or 0 and the new size of the terminal). It may lag behind
after a crash; the size of the log is the truth.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

#: Unix time, bytes (0: a resize), rows, columns.
INDEX_RECORD = struct.Struct("<dIHH")
#: What is looked through in one go for the ends of lines.
_PIECE = 65_536


class OutputLog:
    """The output of one agent: any number of readers, at most one recorder."""

    def __init__(self, directory: Path, stem: str = "output") -> None:
        self.directory = directory
        #: `errors.log` is the stderr of an agent without a terminal.
        self.path = directory / f"{stem}.log"
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
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            index = self.path.with_suffix(".idx")
            self._index = os.open(index, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            os.close(descriptor)
            raise
        self.descriptor = descriptor
        self.size = os.lseek(descriptor, 0, os.SEEK_END)
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
        """Return up to `limit` bytes from an offset; nothing beyond the end, or where somebody cut the file."""
        count = min(limit, self.size - offset)
        if count <= 0:
            return b""
        if self.descriptor >= 0:
            return os.pread(self.descriptor, count, offset)
        with self._opened() as descriptor:
            return b"" if descriptor is None else os.pread(descriptor, count, offset)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int | None]:
        """Open it for a reader of its own; None when somebody removed it: what was said is gone, the agent is not."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def offset_of_tail(self, lines: int) -> int:
        """Return the offset at which the last `lines` lines begin; may be called in a thread."""
        size = self.size
        if lines == 0:
            return size
        with self._opened() as descriptor:
            return 0 if descriptor is None else _offset_of_tail(descriptor, size, lines)

    def close(self) -> None:
        """Nothing more will come: close the files and tell the followers."""
        if self.is_ended:
            return
        self.is_ended = True
        os.close(self.descriptor)
        os.close(self._index)
        self.descriptor = self._index = -1
        self._tell()


def _offset_of_tail(descriptor: int, size: int, lines: int) -> int:
    # The newline that ends the last line begins no other one.
    wanted = lines + (os.pread(descriptor, 1, max(0, size - 1)) == b"\n")
    end, found = size, 0
    while end > 0:
        start = max(0, end - _PIECE)
        piece = os.pread(descriptor, end - start, start)
        position = len(piece)
        while (position := piece.rfind(b"\n", 0, position)) >= 0:
            found += 1
            if found == wanted:
                return start + position + 1
        end = start
    return 0
