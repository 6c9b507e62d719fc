"""Compare with every vector: the newest are mapped (hot), older ones read (warm)."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy

from descartes_daemon.search.semantic.vectors import Block, blocks, name_of, rows_of, size_of

#: So many of the newest are mapped: 400 MB of files, of which the system takes memory back whenever it wants.
HOT = 200_000
#: Of those that are mapped so many may be gone before they are mapped anew.
_STALE = 1.25


class Near(NamedTuple):
    """A passage, and how near it is: 1 is the same, 0 has nothing in common."""

    passage: int
    nearness: float


class Nearest:
    """The vectors of one index, to be compared with; one look at a time, in any thread."""

    def __init__(self, directory: Path, hot: int = HOT) -> None:
        self._directory, self._most = directory, hot
        self._of: tuple[str, int] | None = None
        self._file = -1
        self._matrix: Any = None
        self._ids: Any = numpy.empty(0, numpy.int64)
        self._mapped: set[Block] = set()
        self._warm: list[Block] = []
        #: The lowest id there was, and SQLite's word for the state of the index then.
        self._lowest, self._seen = 0, -1

    @property
    def hot(self) -> int:
        """How many vectors are mapped."""
        return len(self._ids)

    @property
    def warm(self) -> int:
        """How many are in the index alone."""
        return sum(block.length for block in self._warm)

    def find(self, index: sqlite3.Connection, vector: Any, most: int, allowed: Any = None) -> list[Near]:
        """Return the nearest passages, the nearest first: exactly those that comparing with all of them finds.

        Args:
            index: Where they are stored.
            vector: What is looked for.
            most: How many.
            allowed: The ids of passages that may be returned; None: all.

        """
        (seen,) = index.execute("PRAGMA data_version").fetchone()
        if seen != self._seen:
            self._lowest, self._seen = self._refresh(index), seen
        if self._of is None or self._of[1] != len(vector):
            return []
        ids, scores = [self._ids], [self._matrix @ vector if len(self._ids) else numpy.empty(0, numpy.float32)]
        for block in self._warm:
            if (rows := rows_of(index, block, len(vector))) is not None:
                ids.append(block.ids)
                scores.append(rows @ vector)
        return _best(numpy.concatenate(ids), numpy.concatenate(scores), most, self._lowest, allowed)

    def _refresh(self, index: sqlite3.Connection) -> int:
        """Take up what was stored since, and return the lowest id that is still there."""
        of, there = (name_of(index) or "", size_of(index)), blocks(index)
        hot, count = set[Block](), 0
        for block in sorted(there, reverse=True):
            if count + block.length <= self._most:
                hot.add(block)
                count += block.length
        if of != self._of or len(self._ids) > _STALE * count + 1000:
            self.close()
        self._of = of
        self._warm = sorted(there - hot - self._mapped)
        if new := sorted(hot - self._mapped):
            self._map(index, new, of[1])
        return min((block.first for block in there), default=0)

    def _map(self, index: sqlite3.Connection, new: list[Block], size: int) -> None:
        if self._file < 0:
            # It has no name: whoever is killed leaves nothing.
            with tempfile.TemporaryFile(dir=self._directory, prefix="vectors.") as file:
                self._file = os.dup(file.fileno())
        ids, at = [self._ids], len(self._ids)
        for block in new:
            rows = rows_of(index, block, size)
            if rows is not None:
                os.pwrite(self._file, rows.tobytes(), at * size * 4)
                at += block.length
                ids.append(block.ids)
                self._mapped.add(block)
        self._ids = numpy.concatenate(ids)
        if at:
            with open(self._file, "rb", closefd=False) as file:
                self._matrix = numpy.memmap(file, numpy.float32, "r", shape=(at, size))

    def close(self) -> None:
        """Let go of what is mapped."""
        self._matrix, self._ids, self._mapped, self._warm = None, numpy.empty(0, numpy.int64), set(), []
        self._seen = -1
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _best(ids: Any, scores: Any, most: int, lowest: int, allowed: Any) -> list[Near]:
    is_there = ids >= lowest
    if allowed is not None:
        is_there &= numpy.isin(ids, allowed)
    if not is_there.all():
        ids, scores = ids[is_there], scores[is_there]
    if len(ids) > most:
        best = numpy.argpartition(scores, -most)[-most:]
        ids, scores = ids[best], scores[best]
    order = numpy.lexsort((-ids, -scores))
    return [Near(int(ids[at]), float(scores[at])) for at in order]
