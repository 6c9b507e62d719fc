"""Share the loop among loud agents, and leave it to everybody else in between."""

from __future__ import annotations

import time
from typing import ClassVar

#: All loud agents together take at most this long in one turn of the loop (seconds) ...
_BURST = 0.002
#: ... and then none for so many turns: an HTTP request is answered in about as many, and an empty turn takes some µs.
_TURNS_OF_OTHERS = 6


class Loudness:
    """How much one agent may say at a time."""

    #: Those that had more to say than they may, when they were heard last.
    _loud: ClassVar[set[Loudness]] = set()

    def __init__(self) -> None:
        self._left_to_others = 0
        self._until = 0.0

    def waits(self) -> bool:
        """Say whether this turn is left to others."""
        if not self._left_to_others:
            return False
        self._left_to_others -= 1
        return True

    def begin(self) -> None:
        """Begin to listen to it."""
        self._until = time.perf_counter() + _BURST / max(1, len(self._loud))

    def is_enough(self) -> bool:
        """Say whether it has been listened to for long enough."""
        return time.perf_counter() >= self._until

    def end(self) -> None:
        """Listen no more for now."""
        if self.is_enough():
            self._loud.add(self)
            self._left_to_others = _TURNS_OF_OTHERS
        else:
            self._loud.discard(self)

    def close(self) -> None:
        """Count it no more."""
        self._loud.discard(self)
