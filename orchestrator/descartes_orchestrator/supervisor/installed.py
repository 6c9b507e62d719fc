"""Which state of the code is installed now."""

from __future__ import annotations

import time

from descartes_local.code_stamp import code_stamp

#: A look takes milliseconds; all that is done within this time for one start, or for fifty, needs only one.
_FRESH = 0.1


class Installed:
    """Looks, and remembers for a moment what it saw."""

    def __init__(self) -> None:
        self._stamp, self._seen = "", float("-inf")

    def stamp(self) -> str:
        """Return the state of the code."""
        now = time.monotonic()
        if now - self._seen > _FRESH:
            self._stamp, self._seen = code_stamp(), now
        return self._stamp


#: There is one installation.
INSTALLED = Installed()
