"""Do one thing again and again, beside what a test watches meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Repeater(threading.Thread):
    """Does it so often, and says when it is over, also where it failed."""

    def __init__(self, times: int, what: Callable[[], Any]) -> None:
        super().__init__(name="repeater", daemon=True)
        self._times, self._what = times, what
        self.told: list[Any] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Do it, and keep what came of it."""
        try:
            for _ in range(self._times):
                self.told.append(self._what())
        finally:
            self.over.set()
