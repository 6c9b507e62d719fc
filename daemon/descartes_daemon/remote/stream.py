"""One stream of an agent elsewhere, on its way into its log here.

The runner sends what it has from an offset, as far as there is credit. A piece counts only where the log ends, so that
repeats and strays do no harm; a disk that takes nothing gives no credit, and then the runner waits.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable

from descartes_core.bus.messages import Output
from descartes_daemon.output_log import OutputLog

#: So much may be under way; credit is given again when half of it has come.
WINDOW = 4 * 1024 * 1024
#: How often a disk that took nothing is tried again (seconds).
_RETRY = 1.0
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Stream:
    """Writes pieces at the log's own size; runs in the loop, in no task."""

    def __init__(self, log: OutputLog, credit: Callable[[str, int, int], bool]) -> None:
        """Know where it goes, and how credit is given: for a stream, from an offset, up to another one."""
        self.log = log
        self._credit = credit
        self._until = -1
        #: Why nothing can be stored now.
        self.trouble: str | None = None
        self._retry: asyncio.TimerHandle | None = None
        #: Where the log was at the last look.
        self._seen = -1
        self._grew = asyncio.Event()
        #: Set when nothing will come any more.
        self.finished = asyncio.Event()

    def ask(self) -> None:
        """Ask for what comes behind the log's end; a repeat is harmless."""
        if self.finished.is_set() or self.trouble is not None:
            return
        until = self.log.size + WINDOW
        self._until = until if self._credit(self.log.stream, self.log.size, until) else -1

    def look(self, size: int) -> None:
        """Hear how much there is at the runner: where nothing of it comes, what was under way is lost."""
        has_come, self._seen = self.log.size != self._seen, self.log.size
        if size > self.log.size and not has_come:
            self.ask()

    def came(self, piece: Output) -> None:
        """Take a piece, where it is the next one."""
        if self.finished.is_set() or self.trouble is not None:
            return
        if piece.data and piece.gap is None and piece.offset + len(piece.data) > self._until:
            return  # nobody asked for that: who does not keep to it shall not fill a disk
        if piece.gap is not None and piece.offset > self.log.size and not self._skip(piece.offset):
            return
        if not piece.offset <= self.log.size <= piece.offset + len(piece.data):
            return
        if not self._store(memoryview(piece.data)[self.log.size - piece.offset :]):
            return
        if piece.is_last:
            self.finished.set()
        elif self._until - self.log.size < WINDOW // 2:
            self.ask()
        self._tell()

    async def reach(self, size: int) -> None:
        """Wait until so much has come, or nothing will come any more."""
        while self.log.size < size and not self.finished.is_set():
            self._grew.clear()
            await self._grew.wait()

    def close(self) -> None:
        """Wait for nothing more."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._overcome()
        self.finished.set()
        self._tell()

    def _tell(self) -> None:
        self._grew.set()

    def _skip(self, offset: int) -> bool:
        """Take note of what the runner has no more."""
        try:
            if self.log.lose(offset - self.log.size):
                self.log.end_gap()
                return True
        except OSError as error:  # no file is so large
            self._suffer(os.strerror(error.errno or 0))
            return False
        self._suffer("disk full, even for a note of what is missing")
        return False

    def _store(self, data: memoryview) -> bool:
        stored = 0
        try:
            while stored < len(data):
                stored += os.pwrite(self.log.descriptor, data[stored:], self.log.size + stored)
        except OSError as error:
            self._suffer("disk full" if error.errno in _FULL else os.strerror(error.errno or 0))
        if stored:
            self.log.grew(stored)
        return stored == len(data)

    def _suffer(self, trouble: str) -> None:
        """Give no credit until there is room."""
        self.trouble = trouble
        self._credit(self.log.stream, self.log.size, self.log.size)
        self.log.on_trouble(self.log, trouble)
        self._retry = asyncio.get_running_loop().call_later(_RETRY, self._try_again)

    def open(self) -> None:
        """Open the log; one that cannot be opened now is tried again."""
        try:
            self.log.open()
        except OSError as error:
            self._suffer(f"its log cannot be opened: {error.strerror}")

    def _try_again(self) -> None:
        if self.log.is_ended:
            self._overcome()
            self.open()
        elif self.log.has_room():
            self._overcome()
        else:
            self._retry = asyncio.get_running_loop().call_later(_RETRY, self._try_again)

        if self.trouble is None:
            self.ask()

    def _overcome(self) -> None:
        if self.trouble is not None:
            self.trouble = None
            self.log.on_trouble(self.log, None)
