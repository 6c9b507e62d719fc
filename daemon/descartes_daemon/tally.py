"""Note who typed how much into an agent, and when; what, only where wanted."""

from __future__ import annotations

import asyncio
import time

from descartes_daemon.store import Store
from descartes_daemon.unit import Unit

#: The first key is noted at once; what follows at most this often (seconds), and only while somebody types.
NOTE_EVERY = 1.0


class Tally:
    """Counts what one client types into one agent."""

    def __init__(self, store: Store, agent_id: str, client: str) -> None:
        self._store, self._agent_id, self._client = store, agent_id, client
        self._typed, self._kept = 0, b""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, count: int, kept: bytes = b"") -> None:
        """Count so many bytes more, and keep these."""
        self._typed += count
        self._kept += kept
        if self._timer is None:
            self._note()

    def _note(self) -> None:
        """Note what is not noted yet; where there is something, look again a moment later."""
        self._timer = None
        if self._typed:
            typed, kept, self._typed, self._kept = self._typed, self._kept or None, 0, b""
            self._store.enqueue(Unit().typed(self._agent_id, time.time(), self._client, typed, kept))
            self._timer = asyncio.get_running_loop().call_later(NOTE_EVERY, self._note)

    def close(self) -> None:
        """Note what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._note()
        if self._timer is not None:
            self._timer.cancel()
