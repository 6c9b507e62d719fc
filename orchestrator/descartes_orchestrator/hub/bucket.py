"""So many a second, with some in a row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Fills with time, up to `most`."""

    rate: float
    most: float
    level: float
    seen: float = 0.0

    def takes(self, now: float) -> bool:
        """Say whether one more may be."""
        self.level = min(self.most, self.level + (now - self.seen) * self.rate)
        self.seen = now
        if self.level < 1.0:
            return False
        self.level -= 1.0
        return True
