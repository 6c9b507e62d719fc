"""Who is there: connections by route and by address, generations, twins, loss; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from descartes_core.bus.messages import Heartbeat, Hello, Peer
from descartes_core.errors import Ambiguous, NotFound, Unavailable
from descartes_core.times import written
from descartes_orchestrator.hub.bucket import Bucket
from descartes_orchestrator.hub.enrolment import Enrolled

#: Problems that one connection is told of: in a row, and a second.
_IN_A_ROW, _A_SECOND = 100.0, 20.0
#: Who has not greeted does not say either when it leaves; beyond this those that were silent for longest are forgotten.
MOST_NAMELESS = 10_000
#: Sessions of one home.
MOST_SESSIONS = 1000
#: Seconds between two news of one peer that are only figures.
_PAUSE = 0.25
#: A daemon that does not come back is another one's past; a runner is waited for as long as it is enrolled.
FORGOTTEN_AFTER = 3600.0
#: Named in a refusal.
_MOST_NAMED = 10

State = Literal["connected", "lost", "gone"]


@dataclass(slots=True, eq=False)
class Connection:
    """One socket of somebody who is enrolled, by the route that the ROUTER gave it."""

    route: bytes
    who: Enrolled
    #: Its name in frames.
    address: bytes
    #: Monotonic.
    heard: float
    patience: Bucket
    #: None: it has not greeted; clients need not.
    present: Present | None = None
    #: Its last message had the empty delimiter.
    is_req: bool = False
    #: Bytes sent to it since it was last heard.
    unheard: int = 0


@dataclass(slots=True, eq=False)
class Present:
    """Somebody who has greeted."""

    #: A client's is its address: it may be there more than once.
    name: str
    hello: Hello
    who: Enrolled
    #: None while it is lost.
    connection: Connection | None
    #: Unix seconds.
    since: float
    #: Monotonic; and seconds between its heartbeats.
    heard: float
    interval: float
    state: State = "connected"
    beat: Heartbeat = field(default_factory=Heartbeat)
    #: What others were last told of it unasked, and when (monotonic).
    told_beat: Heartbeat = field(default_factory=Heartbeat)
    told_at: float = float("-inf")

    @property
    def is_draining(self) -> bool:
        """Whether it is to get no more agents, by its own word or by ours."""
        return self.who.is_drained or bool(self.beat.is_draining)


class Roll:
    """All who are there, and those of them who are lost."""

    def __init__(self, interval: float, misses: int, mark: str, most_agents: int = 0) -> None:
        """Begin with nobody.

        Args:
            interval: Seconds between heartbeats where a peer does not say.
            misses: How many may be missed.
            mark: What no other instance's addresses of clients have in them.
            most_agents: How many a runner takes that does not say; 0: nobody knows.

        """
        self.by_route: dict[bytes, Connection] = {}
        self.by_address: dict[bytes, Connection] = {}
        self.by_name: dict[str, Present] = {}
        self._interval, self._misses, self._mark = interval, misses, mark
        self._most_agents = most_agents
        self._count = 0

    def connect(self, route: bytes, who: Enrolled, now: float) -> Connection:
        """Know a route; a client has an address by it, others once they have greeted."""
        bucket = Bucket(_A_SECOND, _IN_A_ROW, _IN_A_ROW, now)
        made = Connection(route, who, b"", now, bucket)
        self._make_room()
        if who.role == "client":
            self._count += 1
            made.address = f"{who.name}#{self._mark}{self._count}".encode()
            self.by_address[made.address] = made
        self.by_route[route] = made
        return made

    def rival(self, connection: Connection, hello: Hello) -> Present | None:
        """Return who lives and has this name, at another socket."""
        found = self.by_name.get(hello.name) if connection.who.role != "client" else None
        if found is None or found.connection in (None, connection):
            return None
        return found

    def greet(self, connection: Connection, hello: Hello, now: float, wall: float) -> Present:
        """Know somebody by name from now on; whoever had the name has it no more."""
        if connection.who.role != "client":
            connection.address = hello.name.encode()
        name = connection.address.decode()
        before = self.by_name.get(name)
        if before is not None and before is connection.present and before.hello == hello:
            return before  # it only wants to be told of everybody again
        if before is not None and before.connection not in (None, connection):
            self.disconnect(before.connection)
        made = Present(name, hello, connection.who, connection, wall, now, self._interval)
        connection.present = self.by_name[name] = made
        self.by_address[connection.address] = connection
        return made

    def beat(self, present: Present, beat: Heartbeat, now: float) -> bool:
        """Take a heartbeat; say whether others should know what it tells."""
        was, present.beat = present.told_beat, beat
        present.interval = max(self._interval, beat.interval_secs or 0.0)
        is_other = was.agents != beat.agents or abs((was.load or 0.0) - (beat.load or 0.0)) >= 0.25
        # What is told to many must not come as fast as one can say it; the next beat tells what this one did.
        is_told = was.is_draining != beat.is_draining or (is_other and now >= present.told_at + _PAUSE)
        if is_told:
            present.told_beat, present.told_at = beat, now
        return is_told

    def sessions(self, who: Enrolled) -> int:
        """Return how many of somebody's are there, or lost and waited for."""
        return sum(one.who.key == who.key for one in self.by_name.values())

    def disconnect(self, connection: Connection) -> None:
        """Forget a route."""
        if self.by_route.get(connection.route) is connection:
            del self.by_route[connection.route]
        if self.by_address.get(connection.address) is connection:
            del self.by_address[connection.address]

    def end(self, present: Present, state: State, wall: float) -> None:
        """Take note that somebody is lost, or gone for good."""
        if present.connection is not None:
            present.heard = present.connection.heard
            self.disconnect(present.connection)
        present.connection, present.state, present.since = None, state, wall
        if state == "gone" and self.by_name.get(present.name) is present:
            del self.by_name[present.name]

    def silent(self, now: float) -> list[Present]:
        """Return who has missed too many heartbeats."""
        return [one for one in self.by_name.values() if one.connection is not None and self._ends(one) <= now]

    def forgotten(self, wall: float) -> list[Present]:
        """Return who is lost, and waited for no longer."""
        return [
            one
            for one in self.by_name.values()
            if one.connection is None and one.who.role != "runner" and one.since + FORGOTTEN_AFTER <= wall
        ]

    def due(self) -> float | None:
        """Return when somebody may have missed too many."""
        return min((self._ends(one) for one in self.by_name.values() if one.connection is not None), default=None)

    def forgive(self, seconds: float) -> None:
        """Count the time for nobody in which we ourselves stood still."""
        for connection in self.by_route.values():
            connection.heard += seconds

    def find(self, to: str, enrolled: Iterable[Enrolled], *, by_title: bool) -> Connection:
        """Return who is meant: by name; `by_title`: or a daemon by its title, alone or after its home's name.

        A title is what a daemon says of itself: it never stands for somebody's name.

        Raises:
            Unavailable: it is lost, or enrolled and not connected.
            NotFound: nobody.
            Ambiguous: more than one.

        """
        if (found := self.by_address.get(to.encode())) is not None:
            return found
        known = list(enrolled)
        if to in self.by_name or any(one.name == to for one in known):
            raise Unavailable(f"{to} is not connected")
        home, slash, title = to.partition("/")
        named = [one for one in self.daemons() if _is_titled(one, home, title if slash else None)] if by_title else []
        if len(named) == 1 and named[0].connection is not None:
            return named[0].connection
        if named:
            raise Ambiguous(f"{to!r} fits {len(named)}: {_listed(one.hello.name for one in named)}")
        if slash and any((one.name, one.role) == (home, "daemon") for one in known):
            raise Unavailable(f"{to} is not connected")
        raise NotFound(f"nobody here is called {to[:100]!r}")

    def only_daemon(self) -> Connection:
        """Return the daemon that is meant where there is only one.

        Raises:
            NotFound: there is none.
            Ambiguous: there are more; all are named.

        """
        there = list(self.daemons())
        if len(there) == 1 and there[0].connection is not None:
            return there[0].connection
        if not there:
            raise NotFound("no daemon is connected to this hub")
        names = _listed(f"{one.hello.name} ({one.hello.title})" for one in there)
        raise Ambiguous(f"{len(there)} daemons are connected, name one: {names}")

    def daemons(self) -> Iterator[Present]:
        """Yield those that are connected."""
        return (one for one in self.by_name.values() if one.who.role == "daemon" and one.connection is not None)

    def told(self, present: Present, now: float, wall: float) -> Peer:
        """Return what others are told of somebody."""
        hello, beat = present.hello, present.beat
        heard = present.connection.heard if present.connection else present.heard
        return Peer(
            name=present.name,
            role=hello.role,
            state=present.state,
            key=present.who.key,
            generation=hello.generation,
            since=written(present.since),
            last_heard=written(wall - (now - heard)),
            version=hello.version,
            title=hello.title,
            labels=labels_of(present),
            capacity=hello.capacity or (self._most_agents if hello.role == "runner" else 0),
            agents=beat.agents or 0,
            load=beat.load or 0.0,
            is_draining=present.is_draining,
            updates=hello.updates,
        )

    def _ends(self, present: Present) -> float:
        heard = present.connection.heard if present.connection else present.heard
        return heard + (self._misses + 0.5) * present.interval

    def _make_room(self) -> None:
        if len(self.by_route) < MOST_NAMELESS:
            return
        nameless = [one for one in self.by_route.values() if one.present is None]
        if len(nameless) >= MOST_NAMELESS // 2:
            nameless.sort(key=lambda one: one.heard)
            for one in nameless[: MOST_NAMELESS // 4]:
                self.disconnect(one)


def _is_titled(daemon: Present, first: str, second: str | None) -> bool:
    if second is None:
        return daemon.hello.title == first
    return (daemon.who.name, daemon.hello.title) == (first, second)


def labels_of(present: Present) -> tuple[str, ...]:
    """Return the labels it was enrolled with, then those that it gives itself."""
    return tuple(dict.fromkeys((*present.who.labels, *present.hello.labels)))


def _listed(names: Iterable[str]) -> str:
    found = sorted(names)
    return ", ".join(found[:_MOST_NAMED]) + (
        f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    )
