"""What the daemon counts, in plain numbers: who counts pays nothing for who may ask."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate

#: The upper bounds of the buckets (seconds); what waits on purpose (`agent.wait`) falls into the last ones.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Durations:
    """How long something took, in buckets."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, int]]:
        """Return how many took at most so long, as Prometheus has it."""
        return list(zip([*map(str, BOUNDS), "+Inf"], accumulate(self._counts), strict=True))


@dataclass
class Counts:
    """Counters that only grow."""

    #: Calls that were answered, by method.
    requests: dict[str, Durations] = field(default_factory=dict)
    #: By method and the error's code.
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Spawns that worked.
    spawns: Durations = field(default_factory=Durations)
    #: From an event's commit until a listener was told.
    lag: Durations = field(default_factory=Durations)
    #: Bytes that agents have said, as they were recorded.
    output_bytes: int = 0
    #: Times a listener or watcher missed something.
    gaps: int = 0

    def called(self, method: str, seconds: float, code: str | None) -> None:
        """Count one call of a known method; `code` is the error's."""
        if (durations := self.requests.get(method)) is None:
            durations = self.requests[method] = Durations()
        durations.add(seconds)
        if code is not None:
            self.failures[method, code] += 1
        elif method == "agent.spawn":
            self.spawns.add(seconds)

    def missed(self) -> None:
        """Count one gap."""
        self.gaps += 1


@dataclass
class OpenNow:
    """What is open at this moment; each door puts in how to ask it."""

    unix: Callable[[], int] = int
    http: Callable[[], int] = int
    websocket: Callable[[], int] = int
    subscriptions: Callable[[], int] = int
    #: All connections there ever were, on the Unix socket and on the ports.
    unix_total: Callable[[], int] = int
    tcp_total: Callable[[], int] = int
