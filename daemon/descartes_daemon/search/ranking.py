"""Which passages come first: BM25, over what was read again."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

from descartes_daemon.search.asked import Term

_K1, _B = 1.2, 0.75
#: So many passages with a word are counted, newest first; beyond that it is reckoned how many there are.
_COUNTED = 500


class Volume:
    """One volume of an index."""

    def __init__(self, number: int, first: int, last: int, oldest: float, newest: float) -> None:
        self.number, self.first, self.last, self.oldest, self.newest = number, first, last, oldest, newest


def volumes(index: sqlite3.Connection) -> list[Volume]:
    """Return all, the newest first."""
    return [Volume(*row) for row in index.execute("SELECT * FROM volumes ORDER BY number DESC").fetchall()]


class Rarity:
    """How much a term tells of a passage: the less, the more passages have it."""

    def __init__(self, index: sqlite3.Connection, all_volumes: Sequence[Volume]) -> None:
        self._index, self._volumes = index, all_volumes
        self._rows = sum(one.last - one.first + 1 for one in all_volumes)

    def of(self, term: Term) -> float:
        """Return a term's inverse document frequency."""
        count = min(self._count(term), self._rows)
        return math.log(1 + (self._rows - count + 0.5) / (count + 0.5))

    def _count(self, term: Term) -> float:
        found = seen = 0
        for one in self._volumes:
            query = (
                f"SELECT count(*), min(rowid) FROM (SELECT rowid FROM words_{one.number} "
                f"WHERE words_{one.number} MATCH ? ORDER BY rowid DESC LIMIT {_COUNTED - found})"
            )
            count, lowest = self._index.execute(query, (term.match,)).fetchone()
            found += count
            if found >= _COUNTED:
                seen += one.last - lowest + 1
                return float(found * self._rows / seen)
            seen += one.last - one.first + 1
        return float(found)


def score(text: str, terms: Sequence[tuple[Term, float]], average: float) -> float:
    """Return how well a text fits (BM25).

    Args:
        text: Its words, with blanks around each.
        terms: What is looked for, and how much each tells.
        average: How long such texts are, in characters.

    """
    length = _K1 * (1 - _B + _B * len(text) / average)
    counted = ((text.count(term.pattern), weight) for term, weight in terms)
    return sum(weight * count * (_K1 + 1) / (count + length) for count, weight in counted if count)
