"""Read passages of a log again, neighbours in one go, with the file open meanwhile."""

from __future__ import annotations

import contextlib

from descartes_daemon.output_log import OutputLog

#: What is read in one go: the newest passages are looked at first, and mostly the one before is next.
_WINDOW = 65_536


class Again:
    """Pieces of one log, for one search."""

    def __init__(self, log: OutputLog) -> None:
        self._log = log
        self._open = contextlib.ExitStack()
        self._is_open = False
        self._begin, self._data = 0, b""
        self._last = -1

    def read(self, begin: int, end: int) -> bytes:
        """Return what stands there; less, or nothing, where something is missing."""
        at = begin - self._begin
        if at >= 0 and end - self._begin <= len(self._data):
            return self._data[at : end - self._begin]
        if not self._is_open:
            self._is_open = True
            self._open.enter_context(self._log.held())
        start = begin
        if abs(begin - self._last) < _WINDOW and not self._log.gaps.all:
            start = min(begin, max(self._log.begin, end - _WINDOW))
        self._last = begin
        data = self._log.read_apart(start, end - start)
        if len(data) < end - start:  # damaged, or cut
            return self._log.read_apart(begin, end - begin)
        self._begin, self._data = start, data
        return data[begin - start :]

    def close(self) -> None:
        """Close the file."""
        self._open.close()
        self._is_open, self._data = False, b""
