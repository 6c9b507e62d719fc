"""Find passages: the newest that fit, by the index; then what they say, by their sources."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from descartes_core.times import written
from descartes_daemon.search.asked import Asked, spaced
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.indexing import Material, Session
from descartes_daemon.search.outputs import Said
from descartes_daemon.search.ranking import Rarity, score, volumes
from descartes_daemon.search.snippets import snippet
from descartes_daemon.search.words import mark

#: Of so many passages that fit, the newest, the best are told; and so many are read for that at most.
_RANKED, _READ = 50, 400
#: A search takes no longer than that (seconds), whatever is asked: what it found by then is told.
_LONGEST = 0.5
#: Steps of SQLite's machine between two looks at the clock: about a millisecond.
_STEPS = 20_000


class Wanted(NamedTuple):
    """A question, and where the answer may lie."""

    asked: Asked
    limit: int = 20
    kinds: tuple[str, ...] = ()
    agent_id: str | None = None
    task: str | None = None
    since: float | None = None

    def match(self, common: frozenset[str] = frozenset()) -> str:
        """Return what the index is asked (see `Asked.match`)."""
        marks = [[mark("k", kind) for kind in self.kinds]] if self.kinds else []
        marks += [[mark("a", self.agent_id)]] if self.agent_id else []
        marks += [[mark("t", self.task)]] if self.task else []
        return self.asked.match(marks, common)


class Hit(NamedTuple):
    """A passage that fits, as it was read again."""

    id: int
    source: tuple[str, str, str]
    material: Material
    begin: int
    end: int
    at: float
    words: str
    score: float = 0.0
    #: Its lines, where others are to be told than those it has.
    texts: list[tuple[int, str]] | None = None


class Found(NamedTuple):
    """What was found, the best first."""

    results: list[dict[str, Any]]
    #: Whether all that fit were looked at: else older ones may be there.
    is_complete: bool


class Searching:
    """One search in one session."""

    def __init__(self, session: Session, index: sqlite3.Connection, hiding: Hiding, session_id: str) -> None:
        self._session, self._index, self._hiding, self._session_id = session, index, hiding, session_id
        self._sources: dict[int, tuple[str, str, str] | None] = {}
        self._materials: dict[tuple[str, str, str], Material | None] = {}
        self._names: dict[str, str | None] = {}
        #: Whether all that fit were looked at.
        self.is_complete = True

    def run(self, wanted: Wanted) -> Found:
        """Do it.

        Raises:
            sqlite3.Error: the index is torn.

        """
        try:
            hits = self.hits(wanted)
            return Found([self.told(hit, wanted.asked) for hit in hits[: wanted.limit]], self.is_complete)
        finally:
            self.close()

    def hits(self, wanted: Wanted) -> list[Hit]:
        """Return what fits, the best first, with its texts.

        Raises:
            sqlite3.Error: the index is torn.

        """
        ends = time.monotonic() + _LONGEST
        self._index.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)
        try:
            rarity = Rarity(self._index, volumes(self._index))
            hits: list[Hit] = []
            try:
                self._gather(wanted, rarity, hits, ends)
                hits = self._ranked(wanted, rarity, hits)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                    raise
                self.is_complete = False
            return hits
        finally:
            self._index.set_progress_handler(None, 0)

    def _gather(self, wanted: Wanted, rarity: Rarity, hits: list[Hit], ends: float) -> None:
        most = max(_RANKED, wanted.limit)
        for read, row in enumerate(self._candidates(wanted, rarity)):
            if len(hits) == most or read == _READ or time.monotonic() > ends:
                self.is_complete = False
                return
            if (hit := self.read(row, wanted.asked)) is not None and wanted.asked.fits(hit.words):
                hits.append(hit)

    def _candidates(self, wanted: Wanted, rarity: Rarity) -> Iterator[Any]:
        for one in rarity.volumes:
            if wanted.since is not None and one.newest < wanted.since:
                continue
            words, match = f"words_{one.number}", wanted.match(rarity.common(wanted.asked.terms, one))
            query = (
                f"SELECT p.* FROM {words} JOIN passages AS p ON p.id = {words}.rowid "
                # Of what was read anew since, as a whole, nothing is there: it may be more than is looked through.
                f"WHERE {words} MATCH ? AND p.at >= ? AND p.source IN (SELECT id FROM sources) "
                f"ORDER BY {words}.rowid DESC"
            )
            yield from self._index.execute(query, (match, -9e99 if wanted.since is None else wanted.since))

    def read(self, row: Any, asked: Asked | None = None) -> Hit | None:
        """Read again what a passage says; None where that is not there any more, or cannot be what is asked for."""
        identity, number, begin, end, at = row
        if number not in self._sources:
            query = "SELECT kind, agent_id, part FROM sources WHERE id = ?"
            self._sources[number] = self._index.execute(query, (number,)).fetchone()
        source = self._sources[number]
        if source is None:
            return None
        if source not in self._materials:
            self._materials[source] = self._session.material(*source)
        material = self._materials[source]
        if asked is not None and isinstance(material, Said) and not material.may_fit(begin, end, asked):
            return None
        text = material.text(begin, end, self._hiding) if material is not None else ""
        return Hit(identity, source, material, begin, end, at, spaced(text)) if text and material else None

    def _ranked(self, wanted: Wanted, rarity: Rarity, hits: list[Hit]) -> list[Hit]:
        if not hits:
            return hits
        terms = [(term, rarity.of(term)) for term in wanted.asked.terms]
        average = sum(len(hit.words) for hit in hits) / len(hits)
        scored = [hit._replace(score=score(hit.words, terms, average)) for hit in hits]
        return sorted(scored, key=lambda hit: (-hit.score, -hit.id))

    def close(self) -> None:
        """Let go of the logs that were read."""
        for material in self._materials.values():
            if isinstance(material, Said):
                material.close()

    def lines(self, hit: Hit) -> list[tuple[int, str]]:
        """Return the lines of a passage with their offsets; at least one."""
        return hit.material.lines(hit.begin, hit.end, self._hiding) or [(hit.begin, "")]

    def told(self, hit: Hit, asked: Asked) -> dict[str, Any]:
        """Return what is told of it: its best line."""
        kind, agent_id, part = hit.source
        offset, text = snippet(hit.texts or self.lines(hit), asked)
        about = agent_id or self._session.about(kind, hit.begin)
        return {
            "kind": kind,
            "session_id": self._session_id,
            "agent_id": about,
            "agent": self._name(about) if about else None,
            "stream": part if kind == "output" else None,
            "offset": offset,
            "at": written(hit.at),
            "snippet": text,
            "score": round(hit.score, 4),
        }

    def _name(self, agent_id: str) -> str | None:
        if agent_id not in self._names:
            self._names[agent_id] = self._session.name_of(agent_id)
        return self._names[agent_id]
