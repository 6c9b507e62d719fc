"""How long to wait before the next try to reach the hub."""

from __future__ import annotations

from collections.abc import Callable

FIRST = 0.1
LONGEST = 30.0
#: Who stayed connected for this long begins again with the shortest wait.
STABLE = 10.0


class Backoff:
    """Waits that double; each is cut by up to a half, so that those who lost one hub do not come back as one."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._tries = 0

    def next(self) -> float:
        """Return how many seconds to wait now."""
        longest = min(LONGEST, FIRST * 2.0 ** min(self._tries, 20))
        self._tries += 1
        return longest * (0.5 + self._random() / 2)

    def was_connected(self, seconds: float) -> None:
        """Take into account how long the last connection held."""
        if seconds >= STABLE:
            self._tries = 0
