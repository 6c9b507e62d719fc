"""What event.list answers: a page of events after a cursor."""

from __future__ import annotations

import time
from typing import Any

from descartes_core import times
from descartes_core.errors import InvalidParams
from descartes_core.events import fits
from descartes_core.messages.events import ListEvents
from descartes_daemon.feed import Feed

#: What a filter leaves out is looked through in pieces of this size …
_PIECE = 1000
#: … and no more than so many in one call, so that none takes long: the page then says where to go on.
MOST_LOOKED_AT = 20_000

Reply = dict[str, Any]


class EventList:
    """Pages of the session's events."""

    def __init__(self, feed: Feed, *, most_looked_at: int = MOST_LOOKED_AT) -> None:
        self._feed = feed
        self._most_looked_at = most_looked_at

    async def list(self, request: ListEvents) -> Reply:
        """event.list: in order, after a cursor; waits for the first that fits where asked."""
        if request.since > self._feed.last_seq:
            raise InvalidParams(f"since {request.since} lies beyond the newest event, {self._feed.last_seq}")
        page = _Page(self._feed, request, await self._begin(request))
        deadline = time.monotonic() + request.wait
        while not page.events and page.looked_at < self._most_looked_at:
            if page.since < self._feed.last_seq:
                await page.look()
            elif (patience := deadline - time.monotonic()) > 0:
                await self._feed.wait_beyond(page.since, patience)
            else:
                break
        return page.reply()

    async def _begin(self, request: ListEvents) -> int:
        """Return the cursor; what lies before the time asked for is not looked through."""
        if request.from_time is None:
            return request.since
        return max(request.since, await self._feed.before(times.read(request.from_time)))


class _Page:
    """One page, as it is gathered."""

    def __init__(self, feed: Feed, request: ListEvents, since: int) -> None:
        self._feed, self._request = feed, request
        self.since = since
        self.events: list[Reply] = []
        self.looked_at = 0
        self._gap_until: int | None = None

    async def look(self) -> None:
        """Take one piece, up to the last event that has room on the page."""
        wanted = self._request.filter
        piece = await self._feed.after(self.since, max(_PIECE, self._request.limit))
        if piece.begin > self.since:
            self._gap_until = piece.begin + 1
            self._feed.on_gap()
        self.since = piece.begin
        self.looked_at += len(piece.events)
        for event in piece.events:
            if self._is_in_time(event) and fits(event, wanted):
                if len(self.events) == self._request.limit:
                    return
                self.events.append(event)
            self.since = event["seq"]

    def _is_in_time(self, event: Reply) -> bool:
        # As texts: all are written alike. The clock may have been set back meanwhile, so each is looked at.
        begin, end, at = self._request.from_time, self._request.to_time, event["timestamp"]
        return (begin is None or begin <= at) and (end is None or at < end)

    def reply(self) -> Reply:
        """Return it."""
        return {
            "events": self.events,
            "gap_until": self._gap_until,
            "next_since": self.since,
            "last_seq": self._feed.last_seq,
        }
