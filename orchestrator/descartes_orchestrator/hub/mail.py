"""What the hub says itself, to one or to all whom it concerns."""

from __future__ import annotations

import time

from descartes_core.bus.codec import encode
from descartes_core.bus.messages import Goodbye, Message, Peer, PeerUpdate, Problem
from descartes_core.errors import DescartesError
from descartes_orchestrator.hub.rights import HEARS_OF
from descartes_orchestrator.hub.roll import Connection, Present, Roll
from descartes_orchestrator.hub.router import Router, Sent
from descartes_orchestrator.hub.tally import Tally

#: As which the hub speaks.
HUB = b""


class Mail:
    """Sends, and counts."""

    def __init__(self, router: Router, roll: Roll, tally: Tally) -> None:
        self._router, self._roll, self._tally = router, roll, tally
        #: News of peers so far, by the role of who is told: who misses one notices by its number.
        self._numbers = dict.fromkeys(HEARS_OF, 0)
        #: Monotonic, as of what is being handled now.
        self.now = time.monotonic()

    def say(self, to: Connection, message: Message) -> bool:
        """Say something to one; False where it cannot be sent now."""
        return self.post(to.route, encode(message))

    def post(self, route: bytes, body: bytes) -> bool:
        """Say something to a route."""
        if self._router.send(route, HUB, body) is Sent.WELL:
            return True
        self._tally.dropped += 1
        return False

    def answer(self, to: Connection, message: Message) -> None:
        """Answer what was asked of the hub itself."""
        self._tally.answered += 1
        self.say(to, message)

    def complain(
        self, to: Connection, error: DescartesError, *, request_id: str | None = None, addressee: str | None = None
    ) -> None:
        """Tell somebody why nothing came of what it sent, so many times a second."""
        if not to.patience.takes(self.now):
            self._tally.dropped += 1
            return
        self._tally.problems += 1
        told = Problem(code=error.code, error=error.message[:1000], request_id=request_id, to=addressee)
        self.say(to, told)

    def dismiss(self, to: Connection, reason: str, code: str) -> None:
        """Tell somebody to leave, or to say hello first."""
        if to.patience.takes(self.now):
            self._tally.problems += 1
            self.say(to, Goodbye(reason=reason, code=code))
        else:
            self._tally.dropped += 1

    def told(self, present: Present) -> Peer:
        """Return what others are told of somebody."""
        return self._roll.told(present, self.now, time.time())

    def spread(self, present: Present) -> None:
        """Tell those whom somebody's coming and going concerns."""
        if present.hello.role == "client" and not present.hello.updates:
            return
        for role in [role for role, heard in HEARS_OF.items() if present.hello.role in heard]:
            self._spread(present, role)

    def number(self, role: str) -> int:
        """Return the number of the last news that all of this role were told."""
        return self._numbers[role]

    def _spread(self, present: Present, role: str) -> None:
        self._numbers[role] += 1
        body: bytes | None = None
        for other in self._roll.by_name.values():
            if other.who.role == role and other.connection is not None:
                body = body or encode(PeerUpdate(peer=self.told(present), number=self._numbers[role]))
                self.post(other.connection.route, body)
