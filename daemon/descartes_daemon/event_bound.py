"""Keep no more events than were asked for: the oldest go first, some at a time.

Nothing looks but when an event is told, and that costs a comparison. What goes is written down first, so who asks for
it is told of a gap; a daemon that is killed in between leaves what the next one removes.
"""

from __future__ import annotations

import math

from descartes_daemon.background import Background
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from descartes_local.probe import reached

#: Events go in pieces of this size: other writes wait for one piece only.
AT_ONCE = 5000


class EventBound:
    """Holds a session to its newest events."""

    def __init__(self, store: Store, background: Background, most: int) -> None:
        self._store, self._background = store, background
        #: How many are kept; 0: all.
        self.most = most
        #: Up to a tenth more than wanted lie there between two removals, each of which costs a commit.
        self._slack = max(1, most // 10)
        self._next = self.most + self._slack if most else math.inf
        self._is_at_work = False

    def grew(self, newest: int) -> None:
        """Take note of the newest event's seq: called with every commit, and cheap."""
        if newest > self._next and not self._is_at_work:
            self._is_at_work = True
            self._background.start(self._keep(), "keep no more events than wanted")

    def surplus(self) -> int:
        """Return the seq up to which events are too many."""
        return max(0, self._store.last_seq() - self.most) if self.most else 0

    async def surplus_beyond(self, to: int, count: int) -> tuple[int, int]:
        """Return the last event that goes, and how many do, where those up to this one go anyway."""
        if (surplus := self.surplus()) <= to:
            return to, count
        ((count,),) = await self._store.select("count_events_to", to=surplus)
        return surplus, int(count)

    async def _keep(self) -> None:
        try:
            if (to := self.surplus()) > int(await self._store.noted("events_gone_to") or 0):
                await self._store.commit(Unit().give_up_events(to))
                reached("events.given_up")
            await self.prune()
            self._next = to + self.most + self._slack
        finally:
            self._is_at_work = False

    async def prune(self) -> None:
        """Remove what may go."""
        while await self._store.events_given_up():
            await self._store.commit(Unit().prune_events(AT_ONCE))
