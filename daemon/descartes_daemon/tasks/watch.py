"""Follow what others write into the workspace's tree: nothing is done while nobody writes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from descartes_core.errors import Unavailable
from descartes_daemon.tasks.board import Board
from descartes_daemon.tasks.guard import Guard

_log = logging.getLogger(__name__)

#: Whoever has begun to write is let finish, but not for ever (seconds).
_LONGEST_WRITE = 1.0
#: How often a store that cannot be written is tried again (seconds).
_STORE_AGAIN = 1.0
#: A tree that takes longer to read is not read again at once: its writer may write again and again.
_LONG = 0.02


class Watch:
    """Looks at the board when something stirs."""

    def __init__(self, board: Board, guard: Guard) -> None:
        self._board, self._guard = board, guard
        self._stir, self._written = asyncio.Event(), asyncio.Event()
        self._stir.set()
        self._written.set()

    def stirred(self, *, is_written: bool) -> None:
        """Hear that something there has changed; `is_written`: and that its writer has closed it."""
        if is_written:
            self._written.set()
            self._stir.set()
        elif self._written.is_set():
            self._written.clear()
            self._stir.set()

    async def look(self) -> None:
        """See to it that the board is as the workspace is, as far as nobody is writing just now."""
        await self._finished()
        with contextlib.suppress(Unavailable):  # it shows what lies there; what cannot be stored is told later
            await self._board.look()

    async def run(self) -> None:
        """Look whenever something stirs, until cancelled."""
        await self._guard.recover()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience()):
                    await self._stir.wait()
            await self._finished()
            self._stir.clear()
            began = time.monotonic()
            try:
                await self._guard.stirred()
                await self._board.look(anew=True)
            except Unavailable as error:
                _log.error("what changed of tasks is not stored yet: %s", error)
                self._stir.set()
                await asyncio.sleep(_STORE_AGAIN)
            took = time.monotonic() - began
            if took > _LONG:
                await asyncio.sleep(min(took, 1.0))

    def _patience(self) -> float | None:
        until = self._board.doubtful_until
        return None if until is None else max(0.0, until - time.monotonic())

    async def _finished(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_WRITE):
                await self._written.wait()
        self._written.set()
