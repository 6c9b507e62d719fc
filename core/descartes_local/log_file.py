"""Read the bytes of an output log, whether they are there or compressed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from descartes_local.cold_log import ColdLog
from descartes_local.regular_file import open_regular

#: What is looked through in one go for the ends of lines.
_PIECE = 65_536


class LogFile:
    """One log, open for one reader; what is dropped, and where gaps are, its owner knows."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            OSError: it cannot be opened.
            NotRegular: it is a pipe, a device or a directory.
            Damaged: it was compressed, and cannot be read.

        """
        self._cold_path = path.with_suffix(".cold")
        self._cold: ColdLog | None = None
        self._descriptor = open_regular(path)
        try:
            self._look_for_cold()
        except BaseException:
            os.close(self._descriptor)
            raise

    def read(self, offset: int, limit: int) -> bytes:
        """Return up to `limit` bytes from an offset on: less only at an end, or before what is damaged.

        Raises:
            Damaged: already the first of them cannot be read.

        """
        if self._cold is None:
            data = os.pread(self._descriptor, limit, offset)
            if data and b"\0" not in data:
                return data
            # Compressed meanwhile, these may be the zeros of a hole: that comes after the other file.
            self._look_for_cold()
            if self._cold is None:
                return data
        index = self._cold.index
        if index.first <= offset < index.end:
            data = self._cold.read(offset, limit)
            is_whole = offset + len(data) == index.end
            return data + (os.pread(self._descriptor, limit - len(data), index.end) if is_whole else b"")
        return os.pread(self._descriptor, limit if offset >= index.end else min(limit, index.first - offset), offset)

    def offset_of_tail(self, first: int, size: int, lines: int) -> int:
        """Return where the last lines of what lies in between begin.

        Raises:
            Damaged: that cannot be known.

        """
        if size == first:
            return size
        # The newline that ends the last line begins no other one.
        wanted = lines + (self.read(size - 1, 1) == b"\n")
        end, found = size, 0
        while end > first:
            start = max(first, end - _PIECE)
            piece = self.read(start, end - start)
            position = len(piece)
            while (position := piece.rfind(b"\n", 0, position)) >= 0:
                found += 1
                if found == wanted:
                    return start + position + 1
            end = start
        return first

    def _look_for_cold(self) -> None:
        try:
            self._cold = ColdLog(self._cold_path)
        except FileNotFoundError:
            return

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)
        if self._cold is not None:
            self._cold.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
