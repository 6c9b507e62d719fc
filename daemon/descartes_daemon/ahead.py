"""Have what agents say indexed before anybody searches; at rest it costs nothing."""

from __future__ import annotations

import asyncio

from descartes_daemon.room import Room

#: While nobody has searched, the index may lag so far behind: a search catches up with that in less than a second.
_MUCH = 16 * 1024 * 1024


class Ahead:
    """Counts what is said, and opens the room of search once that is much."""

    def __init__(self, room: Room, every: float, *, is_enabled: bool) -> None:
        self._room, self._every, self._is_enabled = room, every, is_enabled
        self._said = 0
        self._timer: asyncio.TimerHandle | None = None

    def grew(self, count: int) -> None:
        """Count so many bytes more."""
        self._said += count
        if self._timer is None and self._is_enabled and (self._said > _MUCH or self._room.is_open):
            self._timer = asyncio.get_running_loop().call_later(self._every, self._begin)

    def _begin(self) -> None:
        self._timer = None
        room = self._room.open()
        if self._said > _MUCH or room.is_used:
            self._said = 0
            room.bring_up_to_date()

    def close(self) -> None:
        """Begin no more."""
        self._is_enabled = False
        if self._timer is not None:
            self._timer.cancel()
