"""Committed events, for listeners that each keep only a cursor."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from descartes_daemon.store import Store

#: How many events are kept at hand; who is further behind reads from the store.
AT_HAND = 1000


@dataclass(frozen=True, slots=True)
class Piece:
    """Events in order; those after the cursor asked for and up to `begin` are kept no more."""

    begin: int
    events: list[dict[str, Any]]


class Feed:
    """The session's events in order; an event is here once it is on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: deque[dict[str, Any]] = deque(maxlen=AT_HAND)
        self._news = asyncio.Event()
        #: When the newest commits were told here: the last seq of each, and the time (monotonic).
        self._commits: deque[tuple[int, float]] = deque([(store.last_seq(), time.monotonic())], maxlen=AT_HAND)
        self.last_seq = store.last_seq()
        #: Told how long after its commit an event reached a listener (seconds).
        self.on_lag: Callable[[float], None] = lambda _seconds: None
        #: Told whenever somebody missed something.
        self.on_gap: Callable[[], None] = lambda: None
        #: Told of the newest seq with every commit that tells something.
        self.on_growth: Callable[[int], None] = lambda _newest: None
        store.on_commit = self._told

    def _told(self, events: list[dict[str, Any]]) -> None:
        self._recent.extend(events)
        self.last_seq = events[-1]["seq"]
        self._commits.append((self.last_seq, time.monotonic()))
        self._news.set()
        self._news = asyncio.Event()  # who waits next waits for the next one
        self.on_growth(self.last_seq)

    async def after(self, since: int, limit: int) -> Piece:
        """Return the events after a cursor, oldest first; none only where there is nothing beyond it."""
        newest = self.last_seq
        if since >= newest:
            return Piece(since, [])
        if self._recent and self._recent[0]["seq"] <= since + 1:
            start = since + 1 - self._recent[0]["seq"]
            return Piece(since, list(itertools.islice(self._recent, start, start + limit)))
        # The store may be a moment ahead: what was not told yet comes in its turn.
        events = [event for event in await self._store.events_after(since, limit) if event["seq"] <= self.last_seq]
        return Piece(events[0]["seq"] - 1 if events else newest, events)

    async def before(self, at: float) -> int:
        """Return a cursor behind what happened before this time; 0 where none of it is kept: there may be a gap."""
        ((first, oldest),) = await self._store.select("first_event_at", at=at)
        return 0 if first == oldest else min(int(first) - 1, self.last_seq)

    def reached(self, seq: int) -> None:
        """Take note that an event has just reached a listener; of long ago nobody knows when it was committed."""
        committed = None
        for last, at in reversed(self._commits if seq > self._commits[0][0] else ()):
            if last < seq:
                break
            committed = at
        if committed is not None:
            self.on_lag(time.monotonic() - committed)

    async def wait_beyond(self, seq: int, timeout: float | None = None) -> bool:
        """Wait for an event beyond this one; say whether there is one."""
        try:
            async with asyncio.timeout(timeout):
                while self.last_seq <= seq:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True
