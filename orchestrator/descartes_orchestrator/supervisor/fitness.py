"""Make this process fit to be everybody's keeper."""

from __future__ import annotations

import ctypes
import os
import resource
import sys

from descartes_orchestrator.supervisor.journal import note

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Become the parent of what a dead daemon leaves; the flag is not inherited by daemons."""
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        note(f"cannot become a subreaper: {os.strerror(ctypes.get_errno())}")


def raise_descriptor_limit() -> int:
    """Raise the soft limit to the hard one and return what it was: agents get that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:  # macOS does not take "infinity"
        note(f"the limit of open files stays at {soft}: {error}")
    return soft
