"""Make the vectors of passages that have none, the newest first, in the process that indexes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from descartes_core.errors import Refused, Unavailable
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Index
from descartes_daemon.search.indexing import ROOM, Material, NoRoomError, Session
from descartes_daemon.search.semantic import vectors
from descartes_daemon.search.semantic.embedder import Embedder, embedder_of
from descartes_local.probe import reached


def make_vectors(
    settings: dict[str, Any], session: Session, index: Index, hiding: Hiding, goes_on: Callable[[], bool]
) -> str | None:
    """Make all that are missing; return why that cannot be, if so.

    Raises:
        NoRoomError: the disk is too full.
        sqlite3.Error: the index cannot be written.

    """
    try:
        embedder = embedder_of(settings)
        vectors.begin(index.connection, embedder.name)
        Embedding(session, index, hiding, embedder).run(goes_on)
    except (Refused, Unavailable) as error:
        return error.message
    return None


class Embedding:
    """Makes the vectors of one index."""

    def __init__(self, session: Session, index: Index, hiding: Hiding, embedder: Embedder) -> None:
        self._session, self._index, self._hiding, self._embedder = session, index, hiding, embedder
        self._materials: dict[int, Material | None] = {}

    def run(self, goes_on: Callable[[], bool]) -> None:
        """Go on until none is missing, or until there is nobody for whom to go on.

        Raises:
            Unavailable: the embedder cannot.

        """
        connection = self._index.connection
        for block in vectors.missing(connection):
            if not goes_on():
                return
            free = os.statvfs(self._index.path.parent)
            if free.f_bavail * free.f_frsize < ROOM:
                raise NoRoomError
            rows = self._embedder.embed(self._texts(block))
            reached("search.embedded")
            vectors.store(connection, self._embedder.name, block, rows)
            reached("search.vectors_stored")
            self._index.bound()

    def _texts(self, block: vectors.Block) -> list[str]:
        """Return what the passages of a run say; nothing where that is not there any more."""
        query = "SELECT id, source, begin, end FROM passages WHERE id BETWEEN ? AND ?"
        found = self._index.connection.execute(query, (block.first, block.first + block.length - 1)).fetchall()
        said = {identity: self._text(source, begin, end) for identity, source, begin, end in found}
        return [said.get(block.first + at, "") for at in range(block.length)]

    def _text(self, source: int, begin: int, end: int) -> str:
        if source not in self._materials:
            query = "SELECT kind, agent_id, part FROM sources WHERE id = ?"
            row = self._index.connection.execute(query, (source,)).fetchone()
            self._materials[source] = None if row is None else self._session.material(*row)
        material = self._materials[source]
        return material.text(begin, end, self._hiding) if material is not None else ""
