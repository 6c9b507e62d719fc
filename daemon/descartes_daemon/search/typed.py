"""Read what was typed into agents, where that is kept, as passages to be found."""

from __future__ import annotations

import sqlite3

from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Passage, Read, Source

_PIECE = 2000
_COLUMNS = "SELECT count(*) FROM pragma_table_info('inputs') WHERE name = 'data'"
_NEWEST = "SELECT ifnull(max(id), 0) FROM inputs"
_AFTER = "SELECT id, at, agent, data FROM inputs WHERE id > ? ORDER BY id LIMIT ?"
_ONE = "SELECT id, at, agent, data FROM inputs WHERE id = ?"


class Typed:
    """All inputs of a session; of most is known only who typed how much."""

    def __init__(self, state: sqlite3.Connection) -> None:
        self._state = state
        #: A store may be older than what is kept there.
        self._is_there = bool(state.execute(_COLUMNS).fetchone()[0])

    def behind(self, known: int) -> int:
        """Return how many rows there are beyond this one."""
        return max(0, int(self._state.execute(_NEWEST).fetchone()[0]) - known) if self._is_there else 0

    def read(self, source: Source, hiding: Hiding) -> Read | None:
        """Read on from where the source had been read to; None where there is nothing more by now."""
        rows = self._state.execute(_AFTER, (source.next, _PIECE)).fetchall() if self._is_there else []
        passages = [
            Passage(row, row + 1, at, hiding.hide(_shown(data)), agent_id=agent)
            for row, at, agent, data in rows
            if data
        ]
        return Read(passages, rows[-1][0]) if rows else None

    def text(self, begin: int, _end: int, hiding: Hiding) -> str:
        """Return what was typed; nothing where it is not kept any more."""
        row = self._state.execute(_ONE, (begin,)).fetchone()
        return "" if row is None or not row[3] else hiding.hide(_shown(row[3]))

    def lines(self, begin: int, end: int, hiding: Hiding) -> list[tuple[int, str]]:
        """Return the same with the number of its row."""
        return [(begin, self.text(begin, end, hiding))]

    def about(self, begin: int) -> str | None:
        """Return into whom it was typed."""
        row = self._state.execute(_ONE, (begin,)).fetchone()
        return None if row is None else row[2]


def _shown(data: bytes) -> str:
    return data.decode("utf-8", "replace").replace("\r", "\n")
