"""Become the parent of orphans below this process."""

from __future__ import annotations

import ctypes
import sys

#: prctl(2); Linux has had it since 3.4, and never refuses.
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Become the parent, instead of init, of what dead children leave; each process must say so for itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
