"""Say what happened: one line with the time."""

from __future__ import annotations

import sys
import time

from descartes_core.times import written


def note(text: str) -> None:
    """Write one line to the supervisor's log, which is its standard error."""
    line = " ".join(text.splitlines())
    try:
        sys.stderr.write(f"{written(time.time())} {line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # A full disk must not end the keeper of everybody's agents.
        return
