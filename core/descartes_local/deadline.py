"""Deadlines that a clock which is set neither hastens nor puts off.

In memory a deadline is monotonic time. On disk it can only be the wall's, which the next process reads with care.
"""

from __future__ import annotations

import time


def to_wall(deadline: float) -> float:
    """Return a deadline (monotonic) as it is stored (Unix seconds)."""
    return time.time() + deadline - time.monotonic()


def from_wall(stored: float, longest: float) -> float:
    """Return a stored deadline (Unix seconds) as monotonic time: not before now, and no further off than it ever was.

    A clock that was set back meanwhile puts it off by no more than `longest` (seconds).
    """
    return time.monotonic() + min(max(0.0, stored - time.time()), longest)
