"""Terminals as they were at some offsets of a log, on disk beside it."""

from __future__ import annotations

import contextlib
import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

#: Of one agent; then the one goes that is missed least.
MOST = 64
#: What a terminal may hold that is saved (bytes).
_LARGEST = 16 * 1024 * 1024
_NAME = re.compile(r"screen-([0-9]{1,18})\.saved")
_MAGIC = b"DSCREEN1"
_HEAD = struct.Struct("<8sQI")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A saved terminal, and how much of the log it had read."""

    offset: int
    saved: bytes


class Checkpoints:
    """The checkpoints of one log; they go with its directory. What is torn or foreign counts as not there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def last(self, offset: int) -> Checkpoint | None:
        """Return the last one at or before an offset."""
        for found in sorted((one for one in self._offsets() if one <= offset), reverse=True):
            if (checkpoint := self._read(found)) is not None:
                return checkpoint
        return None

    def add(self, checkpoint: Checkpoint) -> None:
        """Write one; a disk that takes none only makes screens slower."""
        if len(checkpoint.saved) > _LARGEST:
            return
        path = self._path(checkpoint.offset)
        part = path.with_suffix(".part")
        head = _HEAD.pack(_MAGIC, checkpoint.offset, zlib.crc32(checkpoint.saved))
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(head + checkpoint.saved)
            part.rename(path)
            self._thin()
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()

    def _thin(self) -> None:
        offsets = sorted(self._offsets())
        while len(offsets) > MOST:
            # The one whose neighbours are nearest to one another; never the last one, which is asked for most.
            spans = [after - before for before, after in zip([0, *offsets[:-2]], offsets[1:], strict=True)]
            self._path(offsets.pop(spans.index(min(spans)))).unlink(missing_ok=True)

    def _offsets(self) -> list[int]:
        try:
            names = os.listdir(self._directory)
        except OSError:
            return []
        return [int(found[1]) for found in map(_NAME.fullmatch, names) if found]

    def _path(self, offset: int) -> Path:
        return self._directory / f"screen-{offset}.saved"

    def _read(self, offset: int) -> Checkpoint | None:
        try:
            data = self._path(offset).read_bytes()
            magic, told, check = _HEAD.unpack_from(data)
        except (OSError, struct.error):
            return None
        saved = data[_HEAD.size :]
        if (magic, told) != (_MAGIC, offset) or zlib.crc32(saved) != check:
            return None
        return Checkpoint(offset, saved)
