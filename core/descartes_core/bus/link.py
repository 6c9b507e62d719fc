"""A peer's end of the conversation with the hub: its rules, without socket and clock.

The shell opens a socket when `wants_socket` says so, and calls `opened`; gives it what came (`receive`, first) and the
time (`tick`, at `due`); sends `frames_to_send` after each call; calls `closed` when it sees the connection end; and
throws its socket away when the state is neither CONNECTING nor CONNECTED.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from descartes_core.bus import messages as m
from descartes_core.bus.asked import Asked, Expired, is_answer
from descartes_core.bus.backoff import Backoff
from descartes_core.bus.beats import Beats
from descartes_core.bus.codec import decode, encode
from descartes_core.bus.roster import Roster, has_come
from descartes_core.bus.statistics import Statistics
from descartes_core.bus.wire import addressed, received
from descartes_core.errors import ProtocolError

__all__ = ["Expired", "Link", "LinkState", "Received"]

#: Seconds for connecting and greeting.
PATIENCE = 10.0
#: Frames that wait for the shell to fetch them.
MOST_WAITING = 10_000
#: The hub does not know who speaks, since it was started anew: greet it again.
GREET = "greet"
#: What the hub refuses for good: the other one with this name, another's name, another protocol, a revoked key.
FOR_GOOD = frozenset({"twin", "impostor", "version", "unauthorized", "forbidden"})
#: Why nobody will get what was sent to an addressee, now or later.
UNREACHABLE = frozenset({"not_found", "ambiguous", "forbidden"})
#: Only the hub says these.
_OF_THE_HUB = frozenset({m.Hello, m.Welcome, m.PeerUpdate, m.Heartbeat, m.Goodbye, m.PeersResponse, m.EnrollResponse})


class LinkState(StrEnum):
    """How a peer stands to its hub."""

    DISCONNECTED = "Disconnected"
    CONNECTING = "Connecting"
    CONNECTED = "Connected"
    RECONNECTING = "Reconnecting"
    FAILED = "Failed"


class Received(NamedTuple):
    """A message, and whose; "" is the hub."""

    sender: str
    message: m.Message


class Link:
    """The rules of one conversation; feed it frames and the time."""

    def __init__(self, me: m.Hello, *, resend: float = 3.0, random: Callable[[], float]) -> None:
        self.me = me
        self.state = LinkState.DISCONNECTED
        #: Since when it is in this state.
        self.since = 0.0
        self.welcome: m.Welcome | None = None
        self._roster = Roster()
        #: As the hub last told; those that are gone for good are not among them.
        self.peers: Mapping[str, m.Peer] = self._roster.peers
        #: Why it failed, or was last not connected.
        self.failure: str | None = None
        #: When to open a fresh socket; None: one is open, or it has failed for good.
        self.wants_socket: float | None = 0.0
        self.statistics = Statistics()
        self._asked = Asked(resend)
        self._beats = Beats(me.generation)
        self._backoff = Backoff(random)
        self._waiting: list[list[bytes]] = []

    def opened(self, now: float) -> None:
        """Greet through a fresh socket."""
        if self.state is not LinkState.FAILED:
            self._waiting.clear()
            self._greet(now)

    def closed(self, now: float, why: str = "the connection ended") -> None:
        """Take note that the socket was thrown away, or that its connection has ended."""
        if self.state in (LinkState.CONNECTING, LinkState.CONNECTED):
            self._lose(now, why)

    def leave(self, now: float, reason: str = "") -> None:
        """Say goodbye: what is sent after this call is the last."""
        if self.state is LinkState.CONNECTED:
            self._send(m.Goodbye(reason=reason))
        self._move(LinkState.DISCONNECTED, now)
        self.wants_socket = None

    def receive(self, frames: Sequence[bytes], now: float) -> list[Received]:
        """Take what came in one message, and return what is to be acted upon.

        Raises:
            ProtocolError: it was nonsense; it is counted, and all is as it was before.

        """
        if self.state not in (LinkState.CONNECTING, LinkState.CONNECTED):
            return []
        self.statistics.came(frames)
        self._beats.heard()
        try:
            sender, body = received(frames)
            message = decode(body)
        except ProtocolError:
            self.statistics.errors += 1
            raise
        if not sender:
            return self._from_hub(message, now)
        if self.state is not LinkState.CONNECTED or type(message) in _OF_THE_HUB:
            return self._drop()
        return self._taken(sender, message)

    def tell(self, message: m.Message, to: str = "", *, now: float) -> bool:  # noqa: ARG002 # all here take the time
        """Send this once, now; False where nobody is connected, or too much is waiting."""
        if self.state is not LinkState.CONNECTED or len(self._waiting) >= MOST_WAITING:
            return False
        self._send(message, to)
        return True

    def ask(self, message: m.Request, to: str = "", *, now: float, deadline: float) -> None:
        """Send this until it is answered or its deadline is over; the answer comes out of `receive`.

        Raises:
            LimitReached: too much is unanswered.
            TooLarge: nobody would take it.

        """
        body = self._asked.add(message, to, now, deadline)
        if self.state is LinkState.CONNECTED:
            self._queue_all([(to, body)])

    def forget(self, request_id: str) -> None:
        """Wait for this answer no longer; a late one is dropped."""
        self._asked.forget(request_id)

    def set_pace(self, secs: float | None, now: float) -> None:
        """Beat only each `secs`, or (None) as often as the hub asks for."""
        self._beats.set_pace(secs, now)

    def report(
        self, now: float, *, agents: int | None = None, load: float | None = None, is_draining: bool | None = None
    ) -> None:
        """Tell the hub this with each heartbeat."""
        self._beats.report(agents, load, is_draining, now)

    def tick(self, now: float) -> list[Expired]:
        """Do what is due, and return what nobody answered in time."""
        expired = self._asked.expire(now)
        if self.state is LinkState.CONNECTING and now >= self.since + PATIENCE:
            self._lose(now, f"no welcome within {PATIENCE:g} s")
        elif self.state is LinkState.CONNECTED:
            if self._beats.is_lost(now):
                self._lose(now, "the hub is silent")
                return expired
            if self._beats.due <= now:
                self._send(self._beats.beat(now))
            self._queue_all(self._asked.again_where_due(now))
        return expired

    def due(self) -> float | None:
        """Return when `tick` is wanted next."""
        times = [self._asked.due(is_connected=self.state is LinkState.CONNECTED)]
        if self.state is LinkState.CONNECTING:
            times.append(self.since + PATIENCE)
        elif self.state is LinkState.CONNECTED:
            times.append(self._beats.due)
        return min((time for time in times if time is not None), default=None)

    def frames_to_send(self) -> list[list[bytes]]:
        """Return what is to be sent now; each is handed over once."""
        waiting, self._waiting = self._waiting, []
        for frames in waiting:
            self.statistics.went(frames)
        return waiting

    def _from_hub(self, message: m.Message, now: float) -> list[Received]:
        if isinstance(message, m.Welcome):
            return self._welcomed(message, now)
        if isinstance(message, m.Goodbye):
            return self._dismissed(message, now)
        if isinstance(message, m.Problem) and message.request_id is None:
            return self._problem(message, now)
        if self.state is not LinkState.CONNECTED:
            return self._drop()
        if isinstance(message, m.Heartbeat):
            if self._roster.misses(message.told):
                self._send(self.me)
            return []
        if isinstance(message, m.PeerUpdate):
            return self._peer_moved(message, now)
        return self._taken("", message)

    def _welcomed(self, welcome: m.Welcome, now: float) -> list[Received]:
        is_first = self.state is LinkState.CONNECTING
        if not is_first and not self._roster.is_behind:
            return self._drop()
        if major(welcome.protocol_version) != major(m.PROTOCOL_VERSION):
            self._fail(now, f"the hub speaks protocol {welcome.protocol_version}, and this is {m.PROTOCOL_VERSION}")
            return [Received("", welcome)]
        self.welcome, self.failure = welcome, None
        self._roster.begin(welcome)
        if is_first:
            self._move(LinkState.CONNECTED, now)
            self.statistics.connected(now)
        self._beats.begin(welcome.heartbeat_secs, welcome.misses, now)
        self._queue_all(self._asked.again(now))
        return [Received("", welcome)]

    def _dismissed(self, goodbye: m.Goodbye, now: float) -> list[Received]:
        if goodbye.code == GREET:
            if self.state is LinkState.CONNECTED:  # else it is greeted already
                self._greet(now)
            return []
        why = goodbye.reason or goodbye.code or "the hub said goodbye"
        if goodbye.code in FOR_GOOD:
            self._fail(now, why)
        else:
            self._lose(now, why)
        return [Received("", goodbye)]

    def _problem(self, problem: m.Problem, now: float) -> list[Received]:
        if problem.to is not None:
            settled = self._asked.settle_all_to(problem.to) if problem.code in UNREACHABLE else []
            told = [problem.model_copy(update={"request_id": one}) for one in settled]
            return [Received("", one) for one in told or [problem]]
        is_about_us = problem.code == "unauthorized" or self.state is LinkState.CONNECTING
        if is_about_us and problem.code in FOR_GOOD:
            self._fail(now, problem.error)
        return [Received("", problem)]

    def _peer_moved(self, update: m.PeerUpdate, now: float) -> list[Received]:
        before = self.peers.get(update.peer.name)
        was_behind = self._roster.is_behind
        if not self._roster.take(update):
            if not was_behind and self._roster.misses(update.number):
                self._send(self.me)  # once; then each heartbeat reminds
            return self._drop()
        if has_come(before, update.peer):
            self._queue_all(self._asked.again(now, update.peer.name))
        return [Received("", update)]

    def _taken(self, sender: str, message: m.Message) -> list[Received]:
        if is_answer(message):
            is_loose = self.me.role == "client"  # the hub finds for it whom it means
            if not self._asked.settle(message, sender, is_loose=is_loose):
                return self._drop()
        return [Received(sender, message)]

    def _drop(self) -> list[Received]:
        self.statistics.dropped += 1
        return []

    def _greet(self, now: float) -> None:
        self.wants_socket = None
        self._move(LinkState.CONNECTING, now)
        self._send(self.me)

    def _lose(self, now: float, why: str) -> None:
        if self.state is LinkState.CONNECTED:
            self._backoff.was_connected(now - self.since)
        self._waiting.clear()
        self.failure, self.wants_socket = why, now + self._backoff.next()
        self._move(LinkState.RECONNECTING, now)

    def _fail(self, now: float, why: str) -> None:
        self._waiting.clear()
        self.failure, self.wants_socket = why, None
        self._move(LinkState.FAILED, now)

    def _move(self, state: LinkState, now: float) -> None:
        self.state, self.since = state, now
        if state is not LinkState.CONNECTED:
            self.statistics.connected_since = None

    def _send(self, message: m.Message, to: str = "") -> None:
        self._queue_all([(to, encode(message))])

    def _queue_all(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        self._waiting.extend(addressed(to, body) for to, body in bodies)


def major(version: str) -> str:
    """Return the part of a version that must be the same on both sides."""
    return version.partition(".")[0]
