"""Write SCUD's file, and write again what one of its commands undoes unknowingly."""

from __future__ import annotations

import asyncio
import logging
import time

from descartes_core.errors import DescartesError
from descartes_core.scud.order import Order
from descartes_core.scud.task import Task
from descartes_daemon.tasks.writing_back import GUARDED, WritingBack, Written

_log = logging.getLogger(__name__)

#: So many times as long as a write took the file is left to others: SCUD tries ten times only.
_FREE = 2.0


class Guard:
    """One write after the other; each is looked after for a moment, whenever the file stirs."""

    def __init__(self, writing: WritingBack) -> None:
        self._writing = writing
        self._turn = asyncio.Lock()
        #: Until when the file is left to others (monotonic).
        self._free_until = 0.0
        self._recent: list[tuple[Written, float]] = []

    async def recover(self) -> None:
        """Finish what a killed daemon was writing."""
        try:
            if sentence := await asyncio.to_thread(self._writing.recover):
                _log.warning("%s", sentence)
        except DescartesError as error:
            _log.warning("what a daemon before was writing is not finished: %s", error)

    async def carry_out(self, order: Order, seen: Task) -> None:
        """Write it.

        Raises:
            Conflict, Locked, NotFound, Refused: it is not written.

        """
        async with self._turn:
            await asyncio.sleep(max(0.0, self._free_until - time.monotonic()))
            # What it keeps of the file may be large.
            asyncio.get_running_loop().call_later(GUARDED + _FREE, self._let_go)
            began = time.monotonic()
            written = await asyncio.to_thread(self._writing.carry_out, order, seen)
            self._free_until = time.monotonic() + _FREE * (time.monotonic() - began)
            # What was asked for before of the same task is no more what anybody wants.
            self._recent = [one for one in self._recent if not _is_of_same(one[0].order, order)]
            self._recent.append((written, time.monotonic() + GUARDED))

    async def stirred(self) -> None:
        """Look after what was written a moment ago."""
        if not self._recent:
            return
        async with self._turn:
            self._forget_old()
            kept = self._recent
            self._recent = [(await asyncio.to_thread(self._writing.restore, written), ends) for written, ends in kept]

    def _let_go(self) -> None:
        if self._turn.locked():
            asyncio.get_running_loop().call_later(GUARDED, self._let_go)
        else:
            self._forget_old()

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._recent = [(written, ends) for written, ends in self._recent if ends > now]
        if not self._recent:
            self._writing.let_go()


def _is_of_same(one: Order, other: Order) -> bool:
    return (one.tag, one.id) == (other.tag, other.id)
