"""Have a session's daemon for one question."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from descartes_core.errors import Refused
from descartes_local.home import Home
from descartes_orchestrator import sessions


@contextlib.contextmanager
def awake(home: Home, session: sessions.Session) -> Iterator[str]:
    """Have a daemon for the block; one that did not run before is stopped again, unless somebody uses it by now."""
    socket = sessions.start(home, session)["socket"]
    try:
        yield socket
    finally:
        if session.run is None:
            with contextlib.suppress(Refused):
                sessions.stop(home, session)
