"""How often somebody may ask who shows no token."""

from __future__ import annotations

import time


class Strangers:
    """Lets in so many a second, all of them together; who shows the token is never counted."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._left = float(most)
        self._at = time.monotonic()

    def take(self) -> bool:
        """Say whether one more may ask now; with 0 always."""
        if not self.most:
            return True
        now = time.monotonic()
        self._left = min(float(self.most), self._left + (now - self._at) * self.most)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
