"""Everybody who is connected to the two ports: how many, and who leaves first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from descartes_core.errors import LimitReached
from descartes_core.guests import Guests
from descartes_core.messages.common import LARGEST_MESSAGE

#: A crowd at a door is let in by so many at a time, in turn with all else; the rest waits in the backlog.
LET_IN_AT_ONCE = 32
#: Connections beyond the limit that may come in to be told so.
_SPARE = 16
#: So many of the largest bodies may be held by all connections together.
HELD_BODIES = 4


class Visitor:
    """One connection, over all of its requests, and as a WebSocket."""

    def __init__(self, visitors: Visitors, leave: Callable[[], None]) -> None:
        self._visitors = visitors
        #: Ends the connection at once.
        self.leave = leave
        #: Told when its client has shown the token.
        self.on_known: Callable[[], None] = lambda: None
        self.is_websocket = False
        #: Whether more were busy than may be when its request came.
        self.is_too_many = False
        self._is_busy = False
        #: How many bytes of its request's body are kept for it.
        self.held = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way for it."""
        return not self._is_busy

    def known(self) -> None:
        """Take note that its client has shown the token."""
        self.on_known()

    def reads(self, *, anew: bool) -> None:
        """Wait for more of a request, within the deadline: that of the moment before, or a new one."""
        self._visitors.expect(self, anew=anew)

    def works(self) -> None:
        """Take note that a request came in."""
        self._visitors.heard(self)
        if not self._is_busy:
            self._is_busy = True
            self.is_too_many = self._visitors.busy >= self._visitors.most
            self._visitors.busy += 1

    def rests(self) -> None:
        """Take note that its request is answered."""
        if self._is_busy:
            self._is_busy = False
            self.held = 0
            self._visitors.busy -= 1

    def holds(self, size: int) -> None:
        """Take note of so many bytes of a body, until it is answered.

        Raises:
            LimitReached: all together hold too much, and this one most.

        """
        self.held = size
        self._visitors.check_held(self)

    def has_it_all(self) -> None:
        """Wait for nothing more from it now."""
        self._visitors.expect_nothing(self)

    def gone(self) -> None:
        """Forget it."""
        self.rests()
        self._visitors.forget(self)


class Visitors:
    """The connections of both ports together."""

    def __init__(self, most: int, read_timeout: float, most_held: int = HELD_BODIES * LARGEST_MESSAGE) -> None:
        self.most = most
        self._most_held = most_held
        #: How many have a request under way, or are WebSockets.
        self.busy = 0
        #: How many there ever were.
        self.total = 0
        self._read_timeout = read_timeout
        self._guests: Guests[Visitor] = Guests(most + _SPARE)
        #: Who has to send something, and until when: in order, as all have the same time.
        self._expected: dict[Visitor, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def come(self, leave: Callable[[], None]) -> Visitor:
        """Let one in; where there is no room the one that has been idle for longest leaves, else this one."""
        visitor = Visitor(self, leave)
        self.total += 1
        if self._guests.is_full:
            first = self._guests.longest_idle() or visitor
            self.forget(first)
            first.leave()
            if first is visitor:
                return visitor
        self._guests.add(visitor)
        self.expect(visitor, anew=True)
        return visitor

    def count(self, *, websockets: bool) -> int:
        """Return how many are open now of one kind."""
        return sum(visitor.is_websocket is websockets for visitor in self._guests)

    def heard(self, visitor: Visitor) -> None:
        """Take note that it was heard of."""
        self._guests.heard(visitor)

    def forget(self, visitor: Visitor) -> None:
        """Let go of one that is gone."""
        self._guests.remove(visitor)
        self.expect_nothing(visitor)

    def check_held(self, newest: Visitor) -> None:
        """Let go of whoever holds most when all hold too much; the one that has just sent more is told why."""
        while newest.held > self._most_held // 64 and (largest := self._guests.largest(self._most_held)) is not None:
            if largest is newest:
                newest.held = 0
                raise LimitReached(f"{self._most_held} bytes of requests are held, which is the limit: come back later")
            self.forget(largest)
            largest.leave()

    def expect(self, visitor: Visitor, *, anew: bool) -> None:
        """Let it leave unless more comes in time; one timer for all, and none while nobody is waited for."""
        if visitor not in self._guests or (visitor in self._expected and not anew):
            return
        self._expected.pop(visitor, None)
        loop = asyncio.get_running_loop()
        self._expected[visitor] = loop.time() + self._read_timeout
        if self._timer is None:
            self._timer = loop.call_at(self._expected[visitor], self._look)

    def expect_nothing(self, visitor: Visitor) -> None:
        """Wait for nothing more from it."""
        self._expected.pop(visitor, None)
        if not self._expected and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._expected:
            visitor, until = next(iter(self._expected.items()))
            if until > loop.time():
                self._timer = loop.call_at(until, self._look)
                return
            del self._expected[visitor]
            visitor.leave()
