"""Find what is alike and what has the words, and put both into one order."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy

from descartes_core.errors import Unavailable
from descartes_daemon.search.asked import Asked
from descartes_daemon.search.ranking import volumes
from descartes_daemon.search.searching import Found, Hit, Searching, Wanted
from descartes_daemon.search.semantic import vectors
from descartes_daemon.search.semantic.embedder import Embedder, embedder_of
from descartes_daemon.search.semantic.fusing import fused
from descartes_daemon.search.semantic.lexical import LexicalEmbedder
from descartes_daemon.search.semantic.nearest import Near, Nearest

#: So many of the nearest passages are read again and ranked with those that have the words.
_LOOKED_AT = 50
#: Where many of the nearest do not fit (their time), so many times more are looked through.
_TIMES = 8


class Alike(NamedTuple):
    """What was found, and how many passages could not be compared yet."""

    found: Found
    missing: int


class Finding:
    """Compares with the passages of one index."""

    def __init__(self, directory: Path, settings: dict[str, Any]) -> None:
        self._nearest, self._settings = Nearest(directory), settings
        self._embedder: Embedder | None = None
        self._of_lines = LexicalEmbedder()

    def run(self, searching: Searching, index: sqlite3.Connection, wanted: Wanted, text: str) -> Alike:
        """Do it.

        Raises:
            Refused: the embedder cannot work here.
            Unavailable: it cannot now.
            sqlite3.Error: the index is torn.

        """
        hits = searching.hits(wanted)
        if not hits:  # a question in many words: some of them
            hits = searching.hits(wanted._replace(asked=Asked((tuple(wanted.asked.terms),), wanted.asked.without)))
        near = self._near(searching, index, wanted, text)
        known = {hit.id: hit for hit in [*hits, *near]}
        times = {one: hit.at for one, hit in known.items()}
        orders = [[hit.id for hit in hits], [hit.id for hit in near]]
        scores = fused(orders if hits else orders[1:], times, time.time())
        best = [(known[one], score) for one, score in scores.items()][: wanted.limit]
        results = [self._told(searching, hit, wanted.asked, text, score) for hit, score in best]
        return Alike(Found(results, searching.is_complete), vectors.count_missing(index))

    def missing(self, index: sqlite3.Connection) -> int:
        """Return how many passages have no vector."""
        return vectors.count_missing(index)

    @property
    def hot(self) -> int:
        """How many vectors are mapped."""
        return self._nearest.hot

    def _near(self, searching: Searching, index: sqlite3.Connection, wanted: Wanted, text: str) -> list[Hit]:
        if not vectors.are_there(index):
            return []
        if self._embedder is None:
            self._embedder = embedder_of(self._settings)
        if vectors.name_of(index) != self._embedder.name:
            return []  # of another one: they are made anew
        (vector,) = self._embedder.embed([text])
        if len(vector) != vectors.size_of(index):
            raise Unavailable("the embedder makes vectors of another size than before: search --rebuild")
        wide = _LOOKED_AT if wanted.since is None else _LOOKED_AT * _TIMES
        hits: list[Hit] = []
        for near in self._nearest.find(index, vector, wide, _allowed(index, wanted)):
            if len(hits) < _LOOKED_AT and (hit := _hit(searching, index, near, wanted)) is not None:
                hits.append(hit)
        return hits

    def _told(self, searching: Searching, hit: Hit, asked: Asked, text: str, score: float) -> dict[str, Any]:
        """Tell of the line that has the words, else of the one that looks most like them."""
        if not asked.fits(hit.words) and len(texts := searching.lines(hit)) > 1:
            rows = self._of_lines.embed([text, *(line for _, line in texts)])
            hit = hit._replace(texts=[texts[int(numpy.argmax(rows[1:] @ rows[0]))]])
        return searching.told(hit._replace(score=score), asked)

    def close(self) -> None:
        """Let go of what is mapped."""
        self._nearest.close()


def _hit(searching: Searching, index: sqlite3.Connection, near: Near, wanted: Wanted) -> Hit | None:
    """Read a near passage again; None where it is gone, has nothing in common, or does not fit otherwise."""
    if near.nearness <= 0:
        return None
    row = index.execute("SELECT * FROM passages WHERE id = ?", (near.passage,)).fetchone()
    if row is None or (wanted.since is not None and row[4] < wanted.since):
        return None
    hit = searching.read(row)
    return hit if hit is not None and Asked((), wanted.asked.without).fits(hit.words) else None


def _allowed(index: sqlite3.Connection, wanted: Wanted) -> Any:
    """Return the ids of the passages that are of what was asked for; None: all."""
    match = wanted._replace(asked=Asked(())).match()
    if not match:
        return None
    found: list[int] = []
    for one in volumes(index):
        if wanted.since is None or one.newest >= wanted.since:
            query = f"SELECT rowid FROM words_{one.number} WHERE words_{one.number} MATCH ?"
            found += [identity for (identity,) in index.execute(query, (match,))]
    return numpy.array(found, numpy.int64)
