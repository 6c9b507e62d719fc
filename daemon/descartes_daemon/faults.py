"""Faults of ours, told as events too, but never in floods."""

from __future__ import annotations

import time

from descartes_daemon.store import Store
from descartes_daemon.unit import Unit

#: A fault that comes again and again is told this often (seconds); the log has each.
TELL_EVERY = 60.0
#: So many different ones are told apart.
_MOST = 100


class Faults:
    """Tells `SystemEvent.error`."""

    def __init__(self, store: Store, *, tell_every: float = TELL_EVERY) -> None:
        self._store = store
        self._tell_every = tell_every
        self._told: dict[tuple[str, str], float] = {}

    def note(self, where: str, fault: BaseException) -> None:
        """Tell where it was and of which kind; its text may hold secrets, and stays in the log."""
        kind, now = type(fault).__name__, time.monotonic()
        last = self._told.get((where, kind))
        if last is not None and now - last < self._tell_every:
            return
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[where, kind] = now
        self._store.enqueue(Unit().event("SystemEvent", "error", None, {"where": where, "kind": kind}, time.time()))
