"""An old log, compressed in blocks that are read one by one: `output.cold`.

It is gzip, whatever reads that reads it whole: one member a block, and an empty one whose header bears the index. Each
member has its own checksum. The log beside it is a hole of its former size, so offsets are what they were.
"""

from __future__ import annotations

import os
import struct
import zlib
from array import array
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Self

from descartes_local.regular_file import NotRegular, open_regular

#: A search shows lines from here and there: a block is undone in a millisecond.
BLOCK = 262_144
#: The index has to fit into one header: blocks of larger logs are larger.
MOST_BLOCKS = 16_000
_GZIP = 31  # zlib's word for a gzip member with the largest window
#: Of the index: magic, flags (a field follows), time, system, size of the field; the field's name, and its size.
_HEAD = struct.Struct("<4sIBBH2sH")
_BODY = struct.Struct("<QQI")
_CHECK = struct.Struct("<I")
#: The size of the whole member, an empty block, its checksum and its size: where a reader begins.
_TAIL = struct.Struct("<I10s")
#: Beyond the end of any log.
_FAR = 1 << 62
_NOTHING = b"\x03\x00" + bytes(8)


class Damaged(ValueError):
    """Bytes of a compressed log that cannot be read any more."""

    def __init__(self, begin: int, end: int) -> None:
        super().__init__(f"bytes {begin} to {end} of a compressed log are damaged")
        self.begin, self.end = begin, end


_Key = tuple[str, int, int, int]
#: What was read last, by anybody: a reader comes back for the next piece of the same block.
_last_index: tuple[_Key, Index] | None = None
_last_block: tuple[tuple[_Key, int], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """Which bytes of the log are here, and where in the file each block begins."""

    first: int
    end: int
    block: int
    places: tuple[int, ...]

    def as_bytes(self) -> bytes:
        """Return the member that bears it."""
        sizes = array("I", (after - before for before, after in zip(self.places, self.places[1:], strict=False)))
        body = _BODY.pack(self.first, self.end, self.block) + sizes.tobytes()
        body += _CHECK.pack(zlib.crc32(body))
        field = len(body) + 4
        head = _HEAD.pack(b"\x1f\x8b\x08\x04", 0, 0, 255, 4 + field, b"DX", field)
        return head + body + _TAIL.pack(_HEAD.size + len(body) + _TAIL.size, _NOTHING)


def block_size(length: int) -> int:
    """Return how large the blocks of a log of this length are."""
    size = BLOCK
    while length > size * MOST_BLOCKS:
        size *= 2
    return size


def compress(data: bytes, level: int = 4) -> bytes:
    """Return one block as it is stored."""
    return zlib.compress(data, level, _GZIP)


class ColdLog:
    """One compressed log, open for one reader."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            FileNotFoundError: there is none.
            Damaged: its index cannot be read.

        """
        try:
            self._descriptor = open_regular(path)
        except NotRegular as error:
            raise FileNotFoundError(path) from error
        try:
            found = os.fstat(self._descriptor)
            self._key = str(path), found.st_ino, found.st_size, found.st_mtime_ns
            self.index = _index(self._descriptor, self._key)
        except BaseException:
            os.close(self._descriptor)
            raise

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes of the log, up to the end of what is here.

        Raises:
            Damaged: already the first of them cannot be read.

        """
        index = self.index
        pieces: list[bytes] = []
        end = min(offset + limit, index.end)
        while offset < end:
            number, within = divmod(offset - index.first, index.block)
            try:
                block = _block(self._descriptor, self._key, index, number)
            except Damaged:
                if pieces:
                    break
                raise
            pieces.append(block[within : within + end - offset])
            offset += len(pieces[-1])
        return b"".join(pieces)

    def place_of(self, offset: int) -> int:
        """Return where in the file the block of this offset begins."""
        index = self.index
        number = (min(max(offset, index.first), index.end) - index.first) // index.block
        return index.places[-1 if offset >= index.end else number]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


def find_cold(path: Path, begin: int) -> tuple[int, int]:
    """Return up to where a log is compressed, from this offset on, and how many bytes that takes; nothing, if not."""
    try:
        with ColdLog(path) as cold:
            return max(begin, cold.index.end), cold.index.places[-1] - cold.place_of(begin)
    except (OSError, Damaged):
        return begin, 0


def front_of_cold(path: Path, begin: int) -> int | None:
    """Return how many bytes of the file are needed no more when the log begins here; it goes where that is all."""
    try:
        with ColdLog(path) as cold:
            if begin < cold.index.end:
                return cold.place_of(begin)
    except (OSError, Damaged):
        return None
    path.unlink(missing_ok=True)
    return None


def _index(descriptor: int, key: _Key) -> Index:
    global _last_index
    known = _last_index
    if known is None or known[0] != key:
        known = _last_index = key, _read_index(descriptor, key[2])
    return known[1]


def _read_index(descriptor: int, size: int) -> Index:
    """Read the member at the end of a file; of what is none, nobody knows which bytes of the log it should have had."""
    tail = os.pread(descriptor, _TAIL.size, max(0, size - _TAIL.size))
    length, nothing = _TAIL.unpack(tail) if len(tail) == _TAIL.size else (0, b"")
    member = os.pread(descriptor, length, size - length) if nothing == _NOTHING and length <= size else b""
    body, check = member[_HEAD.size : -_TAIL.size - _CHECK.size], member[-_TAIL.size - _CHECK.size : -_TAIL.size]
    if len(body) < _BODY.size or _CHECK.pack(zlib.crc32(body)) != check:
        raise Damaged(0, _FAR)
    first, end, block = _BODY.unpack_from(body)
    sizes = array("I", body[_BODY.size :])
    return Index(first, end, block, tuple(accumulate(sizes, initial=0)))


def _block(descriptor: int, key: _Key, index: Index, number: int) -> bytes:
    global _last_block
    known = _last_block
    if known is not None and known[0] == (key, number):
        return known[1]
    place, behind = index.places[number], index.places[number + 1]
    begin = index.first + number * index.block
    end = min(begin + index.block, index.end)
    undo = zlib.decompressobj(_GZIP)
    try:
        data = undo.decompress(os.pread(descriptor, behind - place, place), index.block + 1)
    except (OSError, zlib.error) as error:
        raise Damaged(begin, end) from error
    # What is torn or too long has no checksum that is right, and what is another block is not as long.
    if not undo.eof or len(data) != end - begin:
        raise Damaged(begin, end)
    _last_block = (key, number), data
    return data
