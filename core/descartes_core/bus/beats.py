"""The heartbeats of a link: when to send one, and when too many were not answered."""

from __future__ import annotations

from descartes_core.bus.messages import Heartbeat

DEFAULT_SECS = 2.0
DEFAULT_MISSES = 3


class Beats:
    """Counts what was not answered rather than time, so that who was stopped itself does not take others for lost."""

    def __init__(self, generation: int) -> None:
        self._doing = Heartbeat(generation=generation)
        self._secs, self._misses = DEFAULT_SECS, DEFAULT_MISSES
        self._pace: float | None = None
        self._unanswered = 0
        self.due = 0.0

    @property
    def secs(self) -> float:
        """Seconds between two."""
        return max(self._secs, self._pace or 0.0)

    def begin(self, secs: float, misses: int, now: float) -> None:
        """Beat as the hub says, the first time at once: with it a peer tells what it does."""
        self._secs, self._misses, self._unanswered = secs, misses, 0
        self.due = now

    def heard(self) -> None:
        """Take note that something came."""
        self._unanswered = 0

    def set_pace(self, secs: float | None, now: float) -> None:
        """Beat less often than the hub asks for, or as often again; told by a beat at once."""
        if secs != self._pace:
            self._pace, self.due = secs, now

    def report(self, agents: int | None, load: float | None, is_draining: bool | None, now: float) -> None:
        """Tell this with each; a change of `is_draining` at once."""
        if is_draining != self._doing.is_draining:
            self.due = now
        self._doing = self._doing.model_copy(update={"agents": agents, "load": load, "is_draining": is_draining})

    def is_lost(self, now: float) -> bool:
        """Say whether the next one is due and too many were not answered."""
        return self.due <= now and self._unanswered >= self._misses

    def beat(self, now: float) -> Heartbeat:
        """Return the next one."""
        self._unanswered += 1
        self.due = now + self.secs
        return self._doing.model_copy(update={"interval_secs": self.secs})
