"""Which passages come first: BM25, over what was read again."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence

from descartes_daemon.search.asked import Term

_K1, _B = 1.2, 0.75
#: So many passages with a word are counted, newest first; beyond that it is reckoned how many there are.
_COUNTED = 500
#: So many of a volume's first passages with a word tell whether it is common there.
_LOOKED_AT = 64


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
        self._index, self.volumes = index, all_volumes
        self._rows = sum(one.last - one.first + 1 for one in all_volumes)
        self._counts: dict[str, float] = {}

    def of(self, term: Term) -> float:
        """Return a term's inverse document frequency: that of its rarest word."""
        count = min(self._rows, *(self._count(word) for word in term.asked))
        return math.log(1 + (self._rows - count + 0.5) / (count + 0.5))

    def common(self, terms: Sequence[Term], volume: Volume) -> frozenset[str]:
        """Return the words that half of a volume's passages have: to read some in vain takes less than these."""
        words = {word for term in terms for word in term.asked}
        if len(words) < 2:
            return frozenset()
        return frozenset(word for word in words if self._is_common(word, volume))

    def _is_common(self, word: str, volume: Volume) -> bool:
        if word.endswith("*") or self._count(word) < self._rows / 4:
            return False
        name = f"words_{volume.number}"
        query = f"SELECT rowid FROM {name} WHERE {name} MATCH ? LIMIT 1 OFFSET {_LOOKED_AT - 1}"
        found = self._index.execute(query, (word,)).fetchone()
        return found is not None and found[0] < volume.first + 2 * _LOOKED_AT

    def _count(self, word: str) -> float:
        """Return how many passages have a word, about."""
        if word not in self._counts:
            self._counts[word] = self._counted(word)
        return self._counts[word]

    def _counted(self, word: str) -> float:
        found = seen = 0
        for one in self.volumes:
            query = (
                f"SELECT count(*), min(rowid) FROM (SELECT rowid FROM words_{one.number} "
                f"WHERE words_{one.number} MATCH ? ORDER BY rowid DESC LIMIT ?)"
            )
            count, lowest = self._index.execute(query, (word, _COUNTED - found)).fetchone()
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
