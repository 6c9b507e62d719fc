"""When a dead daemon is started again, and when that is given up."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RestartRule:
    """The numbers of the rule; all times are seconds."""

    #: A daemon that had been ready this long is started again at once.
    stable: float = 0.3
    #: First pause after an early death; it doubles each time.
    first_pause: float = 0.1
    longest_pause: float = 30.0
    #: This many early deaths in a row are enough.
    early_deaths: int = 5
    #: So are this many deaths of any kind within the window.
    deaths: int = 60
    window: float = 60.0


@dataclass(frozen=True, slots=True)
class Again:
    """Start it again after this pause (before jitter)."""

    pause: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not start it again; the reason is for people."""

    reason: str


@dataclass(slots=True)
class Deaths:
    """The deaths of one daemon; feed them in as they happen."""

    rule: RestartRule
    early: int = 0
    times: deque[float] = field(default_factory=deque)

    def add(self, *, now: float, ready_for: float | None) -> Again | GiveUp:
        """Take one death; `ready_for` is None when it never became ready."""
        self.times.append(now)
        while self.times[0] < now - self.rule.window:
            self.times.popleft()
        if ready_for is not None and ready_for >= self.rule.stable:
            self.early = 0
        else:
            self.early += 1
        if self.early >= self.rule.early_deaths:
            return GiveUp(f"the daemon died {self.early} times in a row soon after its start")
        if len(self.times) >= self.rule.deaths:
            return GiveUp(f"the daemon died {len(self.times)} times within {self.rule.window:.0f} s")
        if self.early == 0:
            return Again(0.0)
        return Again(min(self.rule.first_pause * 2 ** (self.early - 1), self.rule.longest_pause))
