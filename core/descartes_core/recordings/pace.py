"""When the next moment of a recording is due."""

from __future__ import annotations


class Pace:
    """Turns recorded times into times of now; both are given."""

    def __init__(self, speed: float = 1.0, idle_limit: float | None = None) -> None:
        self._speed, self._idle_limit = speed, idle_limit
        #: A recorded time, and when it was shown.
        self._last: tuple[float, float] | None = None
        #: Since when it stands still.
        self._paused: float | None = None

    @property
    def is_paused(self) -> bool:
        """Whether nothing is due."""
        return self._paused is not None

    def due(self, at: float, *, now: float) -> float:
        """Return when this moment is to be shown; a time that is past means at once."""
        if self._last is None:
            self._last = at, now
        before, shown = self._last
        pause = max(at - before, 0.0)
        if self._idle_limit is not None:
            pause = min(pause, self._idle_limit)
        return shown + pause / self._speed

    def shown(self, at: float, due: float) -> None:
        """Take note that it was shown when it was due; what comes later does not wait for what came late."""
        self._last = at, due

    def jump(self, at: float, *, now: float) -> None:
        """Go on from this recorded time."""
        self._last = at, now
        if self._paused is not None:
            self._paused = now

    def pause(self, *, now: float) -> None:
        """Stand still, or go on."""
        if self._paused is None:
            self._paused = now
        else:
            if self._last is not None:
                self._last = self._last[0], self._last[1] + now - self._paused
            self._paused = None
