"""Committed events, for listeners that each keep only a cursor."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from typing import Any

from descartes_daemon.store import Store

#: How many events are kept at hand; who is further behind reads from the store.
AT_HAND = 1000


class Feed:
    """The session's events in order; an event is here once it is on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: deque[dict[str, Any]] = deque(maxlen=AT_HAND)
        self._news = asyncio.Event()
        self.last_seq = store.last_seq()
        store.on_commit = self._told

    def _told(self, events: list[dict[str, Any]]) -> None:
        self._recent.extend(events)
        self.last_seq = events[-1]["seq"]
        self._news.set()
        self._news = asyncio.Event()  # who waits next waits for the next one

    async def after(self, since: int, limit: int) -> list[dict[str, Any]]:
        """Return the events after a cursor, oldest first."""
        if since >= self.last_seq:
            return []
        if self._recent and self._recent[0]["seq"] <= since + 1:
            start = since + 1 - self._recent[0]["seq"]
            return list(itertools.islice(self._recent, start, start + limit))
        # The store may be a moment ahead: what was not told yet comes in its turn.
        return [event for event in await self._store.events_after(since, limit) if event["seq"] <= self.last_seq]

    async def wait_beyond(self, seq: int, timeout: float | None = None) -> bool:
        """Wait for an event beyond this one; say whether there is one."""
        try:
            async with asyncio.timeout(timeout):
                while self.last_seq <= seq:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True
