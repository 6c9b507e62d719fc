"""Where an output log has no bytes, though something was said: `output.gaps`."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from descartes_local.regular_file import NotRegular, read_regular

_BODY = struct.Struct("<QQ")
_CHECK = struct.Struct("<I")
_RECORD = _BODY.size + _CHECK.size
#: Set aside while there is room, so that a full disk's own gaps can be written down on it.
_SPARE = 4096

FULL_DISK = "the disk was full"


class Gap(NamedTuple):
    """Bytes that were said and are not there."""

    #: The first one, and the first one after them.
    begin: int
    end: int
    reason: str


class Gaps:
    """The gaps within one log, in order; the last one may still grow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: list[tuple[int, int]] | None = None
        self._descriptor = -1

    @property
    def all(self) -> list[tuple[int, int]]:
        """Every one, in order: where it begins and ends."""
        # Read when it is first asked for: most logs have none, and lists look at thousands.
        if self._known is None:
            try:
                self._known = parse(read_regular(self._path))
            except (OSError, NotRegular):
                self._known = []
        return self._known

    def open(self) -> None:
        """Make it ready to be added to, while there is room; without room it is tried again with the first gap."""
        with contextlib.suppress(OSError):
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            size = os.fstat(self._descriptor).st_size
            # Zeros are no record; posix_fallocate is not there on macOS.
            os.pwrite(self._descriptor, bytes(max(0, len(self.all) * _RECORD + _SPARE - size)), size)

    def put(self, begin: int, end: int) -> bool:
        """Write down a gap, or that the last one grows to this end; say whether that could be written."""
        if self._descriptor < 0:
            self.open()
        before = self.all[:-1] if self.all and self.all[-1][0] == begin else self.all
        now = [*before, (begin, end)]
        records = b"".join(map(_as_bytes, now))
        try:
            is_written = os.pwrite(self._descriptor, records, 0) == len(records)
        except OSError:
            return False
        if is_written:
            self._known = now
        return is_written

    def close(self) -> None:
        """Give back what was set aside."""
        if self._descriptor < 0:
            return
        if self.all:
            os.ftruncate(self._descriptor, len(self.all) * _RECORD)
        else:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1

    @property
    def end(self) -> int:
        """Where the last one ends; 0 without any."""
        return self.all[-1][1] if self.all else 0

    def at(self, offset: int) -> Gap | None:
        """Return what is missing from this offset on; None where a byte is, or was."""
        end = next((end for begin, end in self.all if begin <= offset < end), None)
        return None if end is None else Gap(offset, end, FULL_DISK)

    def before(self, offset: int) -> Gap | None:
        """Return what is missing up to this offset."""
        return next((Gap(begin, end, FULL_DISK) for begin, end in self.all if end == offset), None)

    def next_after(self, offset: int) -> int | None:
        """Return where the next one begins, at this offset or after it."""
        return next((begin for begin, _ in self.all if begin >= offset), None)

    def bytes_between(self, first: int, last: int) -> int:
        """Count the bytes that are missing in between."""
        return sum(max(0, min(end, last) - max(begin, first)) for begin, end in self.all)


def parse(data: bytes) -> list[tuple[int, int]]:
    """Return the gaps these bytes tell of; what is no record, or not in order, is left out."""
    found: list[tuple[int, int]] = []
    for start in range(0, len(data) - _RECORD + 1, _RECORD):
        body = data[start : start + _BODY.size]
        begin, end = _BODY.unpack(body)
        is_whole = zlib.crc32(body) == _CHECK.unpack_from(data, start + _BODY.size)[0]
        if is_whole and (found[-1][1] if found else 0) <= begin < end:
            found.append((begin, end))
    return found


def _as_bytes(gap: tuple[int, int]) -> bytes:
    body = _BODY.pack(*gap)
    return body + _CHECK.pack(zlib.crc32(body))
