"""When each piece of an output log came: `output.idx`.

Fixed records of (time, the log's size then, rows and columns from then on, a checksum). Each stands for itself, so the
file may lag behind after a crash, be torn, or hold garbage: what is no record is passed over. An agent that says little
at a time, but always something, would fill more of the disk with them than with its words: then they become fewer.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from descartes_local.regular_file import NotRegular, open_regular

_BODY = struct.Struct("<dQHH")
_CHECK = struct.Struct("<I")
#: Bytes of one record.
RECORD = _BODY.size + _CHECK.size
#: Pieces that come closer together than this are one (seconds): a loud program fills no index.
_EVERY = 0.01
#: Likewise once the index is larger than a first part that is free, and so much of its log: some 4 MB a day at most.
_SELDOM = 1.0
_FREE, _SHARE = 1024 * 1024, 1 / 64
#: Records that are read in one go.
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Record:
    """At this time the log had this size, and from then on the terminal was this large."""

    at: float
    offset: int
    rows: int
    cols: int

    def as_bytes(self) -> bytes:
        """Return it as it is stored."""
        body = _BODY.pack(self.at, self.offset, self.rows, self.cols)
        return body + _CHECK.pack(zlib.crc32(body))


def parse(data: bytes) -> list[Record]:
    """Return the records among these bytes, which begin at a record's place."""
    found = []
    for start in range(0, len(data) - RECORD + 1, RECORD):
        body = data[start : start + _BODY.size]
        (check,) = _CHECK.unpack_from(data, start + _BODY.size)
        # A hole that was punched reads as zeros, whose checksum is not zero.
        if zlib.crc32(body) == check:
            record = Record(*_BODY.unpack(body))
            if record.at >= 0:  # not so for a NaN either
                found.append(record)
    return found


class IndexWriter:
    """Writes the index of one log; a full disk makes it lag, and nothing else."""

    def __init__(self, path: Path, rows: int, cols: int) -> None:
        """Open it for the one recorder; what is torn at its end is written over, and what is no file is left alone."""
        self._descriptor, self._end = -1, 0
        with contextlib.suppress(OSError):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._end = os.fstat(self._descriptor).st_size // RECORD * RECORD
        self._rows, self._cols = rows, cols
        self._noted = 0.0
        #: When, and the size then.
        self._waiting: tuple[float, int] | None = None

    def note(self, size: int) -> None:
        """Write down that the log has this size now, with the next one where the last one is but a moment old."""
        now = time.time()
        if 0 <= now - self._noted < (_EVERY if self._end < _FREE + size * _SHARE else _SELDOM):
            self._waiting = now, size
        else:
            self.settle()
            self._write(now, size)

    def resized(self, size: int, rows: int, cols: int) -> None:
        """Write down the terminal's new size, at this offset."""
        self.settle()
        self._rows, self._cols = rows, cols
        self._write(time.time(), size)

    @property
    def waiting(self) -> Record | None:
        """What is not written yet: to write it for everybody who looks would fill the disk after all."""
        return None if self._waiting is None else Record(*self._waiting, self._rows, self._cols)

    def settle(self) -> None:
        """Write what waits."""
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._write(*waiting)

    def _write(self, at: float, size: int) -> None:
        self._noted = at
        record = Record(at, size, self._rows, self._cols).as_bytes()
        with contextlib.suppress(OSError):  # a full disk: the index may lag, the log is the truth
            if os.pwrite(self._descriptor, record, self._end) == RECORD:
                self._end += RECORD

    def close(self) -> None:
        """Write what waits, and close it."""
        self.settle()
        if self._descriptor >= 0:
            os.close(self._descriptor)


class OutputIndex:
    """Reads an index, a few blocks at a time, however large it is."""

    def __init__(self, path: Path, waiting: Record | None = None) -> None:
        self._path = path
        #: The newest one, where it is not written yet.
        self._waiting = waiting

    def offset_since(self, moment: float) -> int | None:
        """Return where what was said from this moment on begins; None when nothing was said since."""
        with self._blocks() as blocks:
            place = _first(blocks, lambda record: record.at >= moment)
            if place is None:
                if self._waiting is None or self._waiting.at < moment:
                    return None
                place = blocks.count, 0
            before = _last_before(blocks, place)
            return before.offset if before is not None else 0

    def records(self, begin: int, end: int, most: int) -> list[Record]:
        """Return what is known of the bytes in between, in order.

        First the last record at or before `begin` (the size then), last the first one at or beyond `end`; at most
        `most` of them.
        """
        with self._blocks() as blocks:
            place = _first(blocks, lambda record: record.offset > begin)
            number, within = place if place is not None else (blocks.count, 0)
            before = _last_before(blocks, (number, within))
            found = [before] if before is not None else []
            while number < blocks.count and len(found) < most:
                for record in blocks.read(number)[within:]:
                    if found and record.offset < found[-1].offset:
                        continue  # garbage with a right checksum, or of another log
                    found.append(record)
                    if record.offset >= end:
                        return found[:most]
                number, within = number + 1, 0
            if self._waiting is not None and (not found or found[-1].offset <= self._waiting.offset):
                found.append(self._waiting)
            return found[:most]

    def end_before(self, begin: int) -> int:
        """Return how many of its own bytes tell of nothing but what was said before this offset."""
        with self._blocks() as blocks:
            place = _first(blocks, lambda record: record.offset >= begin)
            # The block before holds the size of the terminal at that offset.
            return max(0, (0 if place is None else place[0]) - 1) * _BLOCK * RECORD

    @contextlib.contextmanager
    def _blocks(self) -> Iterator[_Blocks]:
        try:
            descriptor = open_regular(self._path)
        except (OSError, NotRegular):
            yield _Blocks(None)
            return
        try:
            yield _Blocks(descriptor)
        finally:
            os.close(descriptor)


class _Blocks:
    """An index as blocks of records; garbage is left out, so a block may be shorter, or empty."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        size = 0 if descriptor is None else os.fstat(descriptor).st_size
        self.count = -(-(size // RECORD) // _BLOCK)
        self._read: tuple[int, list[Record]] = (-1, [])

    def read(self, number: int) -> list[Record]:
        """Return one block."""
        if self._read[0] != number and self._descriptor is not None:
            data = os.pread(self._descriptor, _BLOCK * RECORD, number * _BLOCK * RECORD)
            self._read = number, parse(data)
        return self._read[1]


def _first(blocks: _Blocks, fits: Callable[[Record], bool]) -> tuple[int, int] | None:
    """Return the block and place of the first record that fits, where all behind it fit, too."""
    low, high = 0, blocks.count  # all before `low` end unfit, `high` and all behind it fit
    while low < high:
        middle = (low + high) // 2
        probe = middle
        while probe < high and not blocks.read(probe):
            probe += 1
        if probe == high or fits(blocks.read(probe)[-1]):
            high = middle
        else:
            low = probe + 1
    while low < blocks.count:
        for place, record in enumerate(blocks.read(low)):
            if fits(record):
                return low, place
        low += 1
    return None


def _last_before(blocks: _Blocks, place: tuple[int, int]) -> Record | None:
    number, within = place
    while True:
        if within > 0:
            return blocks.read(number)[within - 1]
        number -= 1
        if number < 0:
            return None
        within = len(blocks.read(number))
