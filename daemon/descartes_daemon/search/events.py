"""Read what happened, as passages to be found: one for each event."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Passage, Read, Source

#: Events that are read in one go.
_PIECE = 2000
_AFTER = "SELECT seq, at, event_type, agent_id, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
_ONE = "SELECT seq, at, event_type, agent_id, data FROM events WHERE seq = ?"
_NEWEST = "SELECT ifnull(max(seq), 0) FROM events"


class Happened:
    """The events of a session."""

    def __init__(self, state: sqlite3.Connection) -> None:
        self._state = state

    def behind(self, known: int) -> int:
        """Return how many there are beyond this one."""
        return max(0, int(self._state.execute(_NEWEST).fetchone()[0]) - known)

    def read(self, source: Source, hiding: Hiding) -> Read | None:
        """Read on from where the source had been read to; None where there is nothing more by now."""
        rows = self._state.execute(_AFTER, (source.next, _PIECE)).fetchall()
        if not rows:
            return None
        return Read([_passage(row, hiding) for row in rows], rows[-1][0])

    def text(self, begin: int, _end: int, hiding: Hiding) -> str:
        """Return what an event says; nothing where it is not kept any more."""
        row = self._state.execute(_ONE, (begin,)).fetchone()
        return "" if row is None else _passage(row, hiding).text

    def lines(self, begin: int, end: int, hiding: Hiding) -> list[tuple[int, str]]:
        """Return the same with its seq."""
        return [(begin, self.text(begin, end, hiding))]

    def about(self, begin: int) -> str | None:
        """Return whom an event is about."""
        row = self._state.execute(_ONE, (begin,)).fetchone()
        return None if row is None else row[3]


def _passage(row: Any, hiding: Hiding) -> Passage:
    seq, at, event_type, agent_id, data = row
    told = json.loads(data)
    text = " · ".join([event_type, *_told(told)])
    task = told.get("task_id")
    return Passage(seq, seq + 1, at, hiding.hide(text), task if isinstance(task, str) else "", agent_id or "")


def _told(data: Any, name: str = "") -> Iterator[str]:
    """Walk over what an event's data say, in one line each."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _told(value, str(key))
    elif isinstance(data, list):
        words = [str(one) for one in data if not isinstance(one, (dict, list))]
        if words:
            yield f"{name}: {' '.join(words)}"
        for one in data:
            if isinstance(one, (dict, list)):
                yield from _told(one, name)
    elif data is not None:
        yield f"{name}: {data}"
