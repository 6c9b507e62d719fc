"""A bus without sockets: links, a hub's answering side, and wires that lose, delay and cut, by a clock of its own."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from descartes_core.bus import messages as m
from descartes_core.bus.codec import decode, encode
from descartes_core.bus.link import Expired, Link, LinkState, Received
from descartes_core.bus.wire import destination

HEARTBEAT, MISSES = 2.0, 3
#: Steps without any time passing: more, and somebody turns in a circle.
MOST_AT_ONCE = 10_000
SINCE = "2026-01-01T00:00:00.000000Z"


@dataclass
class Weather:
    """How wires are now."""

    loss: float = 0.0
    repeats: float = 0.0
    #: Seconds at most.
    delay: float = 0.001
    #: Else frames overtake one another, as they never do on a connection.
    in_order: bool = True


@dataclass
class Peer:
    """What the hub knows of a connection that has greeted."""

    hello: m.Hello
    heard: float
    is_lost: bool = False


class Hub:
    """The answering side, as docs/bus.md has it; no more than these tests need."""

    def __init__(self, send: Callable[[int, list[bytes]], None]) -> None:
        self._send = send
        self.starts = 0
        self.peers: dict[int, Peer] = {}
        self.told = 0

    def restart(self) -> None:
        self.starts += 1
        self.peers.clear()

    def receive(self, connection: int, frames: list[bytes], now: float) -> None:
        to, body, _ = destination(frames)
        peer = self.peers.get(connection)
        if peer is not None:
            peer.heard = now
            if peer.is_lost:
                peer.is_lost = False
                self._tell_others(connection, "connected")
        message = decode(body) if not to else None
        if isinstance(message, m.Hello):
            self._greet(connection, message, now)
        elif peer is None:
            self._say(connection, m.Goodbye(code="greet"))
        elif isinstance(message, m.Heartbeat):
            self._say(connection, m.Heartbeat(told=self.told))
        elif isinstance(message, m.Goodbye):
            self._tell_others(connection, "gone")
            del self.peers[connection]
        elif to:
            self._forward(connection, peer, to, body)

    def look(self, now: float) -> None:
        """Take note of who has been silent for too long."""
        for connection, peer in self.peers.items():
            if not peer.is_lost and now > peer.heard + HEARTBEAT * MISSES:
                peer.is_lost = True
                self._tell_others(connection, "lost")

    def _greet(self, connection: int, hello: m.Hello, now: float) -> None:
        for other, peer in list(self.peers.items()):
            if peer.hello.name != hello.name or other == connection:
                continue
            if peer.hello.generation > hello.generation:
                self._say(connection, m.Goodbye(code="twin", reason="a younger one is here"))
                return
            if peer.hello.generation < hello.generation:
                self._say(other, m.Goodbye(code="twin", reason="a younger one is here"))
            del self.peers[other]
        is_new = connection not in self.peers
        self.peers[connection] = Peer(hello, now)
        others = tuple(_shown(one) for where, one in self.peers.items() if where != connection)
        welcome = {"server_id": "hub", "instance_id": str(self.starts), "peers": others, "told": self.told}
        beat = {"heartbeat_secs": HEARTBEAT, "misses": MISSES}
        self._say(connection, m.Welcome.model_validate({"protocol_version": "1.0.0", **welcome, **beat}))
        if is_new:
            self._tell_others(connection, "connected")

    def _forward(self, connection: int, peer: Peer, to: str, body: bytes) -> None:
        for other, known in self.peers.items():
            if known.hello.name == to and not known.is_lost:
                self._send(other, [peer.hello.name.encode(), body])
                return
        self._say(connection, m.Problem(code="unavailable", error=f"{to} is not there", to=to))

    def _tell_others(self, connection: int, state: str) -> None:
        self.told += 1
        news = m.PeerUpdate(peer=_shown(self.peers[connection], state), number=self.told)
        for other in self.peers:
            self._say(other, news)

    def _say(self, connection: int, message: m.Message) -> None:
        self._send(connection, [b"", encode(message)])


def _shown(peer: Peer, state: str | None = None) -> m.Peer:
    hello = peer.hello
    known = {"name": hello.name, "role": hello.role, "generation": hello.generation, "key": "k", "since": SINCE}
    return m.Peer.model_validate({**known, "state": state or ("lost" if peer.is_lost else "connected")})


@dataclass
class End:
    """One peer: its link, what it has been asked, what it was answered."""

    link: Link
    connection: int | None = None
    paused_until: float = 0.0
    #: What this one has done, by request; outlives its restarts, as a store does.
    done: set[str] = field(default_factory=set)
    answers: list[Received] = field(default_factory=list)
    expired: list[Expired] = field(default_factory=list)


class World:
    """All ends, the hub, and the time."""

    def __init__(self, seed: int, names: tuple[str, ...]) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.weather = Weather()
        self.hub = Hub(self._from_hub)
        self._numbers = itertools.count(1)
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._cut: set[int] = set()
        #: When the last frames came through a wire, by connection and direction.
        self._last: dict[tuple[int, bool], float] = {}
        self._generations = itertools.count(1)
        self.ends = {name: End(self._link(name)) for name in names}

    def _link(self, name: str) -> Link:
        fields = {"protocol_version": "1.0.0", "role": "runner", "name": name, "generation": next(self._generations)}
        return Link(m.Hello.model_validate(fields), random=self.chance.random)

    def at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (when, next(self._numbers), action))

    def run(self, until: float) -> None:
        """Let the time pass."""
        steps = 0
        while (then := self._next()) <= until:
            steps = 0 if then > self.now else steps + 1
            assert steps < MOST_AT_ONCE, "somebody turns in a circle"
            self.now = max(self.now, then)
            while self._queue and self._queue[0][0] <= self.now:
                heapq.heappop(self._queue)[2]()
            self.hub.look(self.now)
            for end in self.ends.values():
                self._turn(end)
        self.now = until

    def cut(self, name: str, *, is_seen: bool) -> None:
        """End a connection; its peer sees it at once, or hears nothing any more."""
        end = self.ends[name]
        if end.connection is not None:
            self._cut.add(end.connection)
            if is_seen:
                end.connection = None
                end.link.closed(self.now)

    def pause(self, name: str, seconds: float) -> None:
        """Stop a peer for a while."""
        self.ends[name].paused_until = self.now + seconds

    def restart(self, name: str) -> None:
        """Let the next process of a peer go on with what it has stored; what it had asked is forgotten."""
        end = self.ends[name]
        self.cut(name, is_seen=False)
        end.link, end.connection = self._link(name), None

    def _next(self) -> float:
        times = [self._queue[0][0]] if self._queue else []
        for end in self.ends.values():
            due = [end.link.due(), end.link.wants_socket if end.connection is None else None]
            times += [max(time, end.paused_until) for time in due if time is not None]
        return max(min(times, default=float("inf")), self.now)

    def _turn(self, end: End) -> None:
        if self.now < end.paused_until:
            return
        end.expired += end.link.tick(self.now)
        if end.connection is not None and end.link.state in (LinkState.RECONNECTING, LinkState.FAILED):
            self._cut.add(end.connection)
            end.connection = None
        wanted = end.link.wants_socket
        if end.connection is None and wanted is not None and wanted <= self.now:
            end.connection = next(self._numbers)
            end.link.opened(self.now)
        for frames in end.link.frames_to_send():
            self._carry(end.connection, frames, self._to_hub)

    def _carry(self, connection: int | None, frames: list[bytes], deliver: Callable[[int, list[bytes]], None]) -> None:
        if connection is None:
            return
        for _ in range(2 if self.chance.random() < self.weather.repeats else 1):
            if self.chance.random() < self.weather.loss:
                continue
            then = self.now + self.weather.delay * self.chance.random()
            if self.weather.in_order:
                wire = connection, deliver == self._to_hub
                then = self._last[wire] = max(then, self._last.get(wire, 0.0))
            self.at(then, lambda: deliver(connection, frames) if connection not in self._cut else None)

    def _to_hub(self, connection: int, frames: list[bytes]) -> None:
        self.hub.receive(connection, frames, self.now)

    def _from_hub(self, connection: int, frames: list[bytes]) -> None:
        self._carry(connection, frames, self._to_end)

    def _to_end(self, connection: int, frames: list[bytes]) -> None:
        for end in self.ends.values():
            if end.connection != connection:
                continue
            if self.now < end.paused_until:  # it waits in the socket
                self.at(end.paused_until, lambda: self._to_end(connection, frames))
                return
            for received in end.link.receive(frames, self.now):
                self._act(end, received)

    def _act(self, end: End, received: Received) -> None:
        message = received.message
        if isinstance(message, m.ControlCommand):
            end.done.add(message.request_id)
            data = {"done": message.request_id, "by": end.link.me.name}
            answer = m.CommandResponse(
                request_id=message.request_id, agent_id=message.agent_id, success=True, data=data
            )
            end.link.tell(answer, received.sender, now=self.now)
        elif isinstance(message, m.CommandResponse | m.Problem) and message.request_id is not None:
            end.answers.append(received)
