"""Bring an index up to date with all that can be found."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from descartes_core.agent_life import FINAL
from descartes_daemon.schema import open_reader
from descartes_daemon.search.events import Happened
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Index, Read, Source
from descartes_daemon.search.outputs import FILES, Said
from descartes_local.probe import reached

#: An index is not what fills a disk: less than this is left free (bytes).
ROOM = 64 * 1024 * 1024
_AGENTS = "SELECT id, state, tty, output_from, errors_from, collected_at FROM agents ORDER BY created_at, id"


class Material(Protocol):
    """What can be found, in order."""

    @property
    def size(self) -> int:
        """How far it goes."""

    def read(self, source: Source, hiding: Hiding) -> Read | None:
        """Read on from where the source had been read to; None where there is nothing more by now."""

    def again(self, begin: int, end: int, hiding: Hiding) -> list[tuple[int, str]]:
        """Return the texts of a passage with their offsets; none where they are not there any more."""


class Found(NamedTuple):
    """Something that is to be indexed, and how its source is called."""

    kind: str
    agent_id: str
    part: str
    material: Material


class NoRoomError(Exception):
    """The disk has no room for an index."""


class Session:
    """A session's files, for who reads all of them."""

    def __init__(self, directory: Path, workspace: Path | None) -> None:
        self.directory, self.workspace = directory, workspace
        self.state = open_reader(directory / "state.db")
        self.state.row_factory = None

    def close(self) -> None:
        """Let go of them."""
        self.state.close()

    def all(self) -> Iterator[Found]:
        """Walk over everything that can be found."""
        for row in self.state.execute(_AGENTS).fetchall():
            yield from self._outputs(row)
        yield Found("event", "", "", Happened(self.state))

    def material(self, kind: str, agent_id: str, part: str) -> Material | None:
        """Return one of them; None where it is no more."""
        if kind == "event":
            return Happened(self.state)
        row = self.state.execute(_AGENTS.replace("ORDER BY created_at, id", "WHERE id = ?"), (agent_id,)).fetchone()
        return None if row is None else next((one.material for one in self._outputs(row) if one.part == part), None)

    def about(self, kind: str, begin: int) -> str | None:
        """Return the agent that a passage is about, where its source is no agent's."""
        return Happened(self.state).agent_of(begin) if kind == "event" else None

    def name_of(self, agent_id: str) -> str | None:
        """Return an agent's name."""
        found = self.state.execute("SELECT name FROM agents WHERE id = ?", (agent_id,)).fetchone()
        return None if found is None else str(found[0])

    def _outputs(self, row: Any) -> Iterator[Found]:
        identity, state, tty, *begins, collected_at = row
        if collected_at is not None:
            return
        directory = self.directory / "agents" / identity
        for stream, begin in zip(FILES, begins, strict=True):
            if stream == "stdout" or not tty:
                yield Found("output", identity, stream, Said(directory, stream, begin, has_ended=state in FINAL))


class Indexing:
    """Brings an index up to date."""

    def __init__(self, session: Session, index: Index, hiding: Hiding, *, goes_on: Callable[[], bool]) -> None:
        self._session, self._index, self._hiding, self._goes_on = session, index, hiding, goes_on

    def run(self) -> None:
        """Go on until a whole round finds nothing more, or until there is nobody for whom to go on.

        Raises:
            OvertakenError: somebody else does the same.
            NoRoomError: the disk is too full.
            sqlite3.Error: the index cannot be written.

        """
        # A round takes a piece of each, so that none waits for a loud one.
        while sum(self._step(found) for found in self._session.all()):
            pass

    def _step(self, found: Found) -> bool:
        """Read one piece of one source; say whether there was any."""
        if not self._goes_on():
            return False
        source = self._index.source(found.kind, found.agent_id, found.part)
        if source.next > found.material.size:
            source = self._index.forget(source)  # its program has cut its own log
        if source.next == found.material.size:
            return False
        read = found.material.read(source, self._hiding)
        if read is None:
            return False
        free = os.statvfs(self._index.path.parent)
        if free.f_bavail * free.f_frsize < ROOM:
            raise NoRoomError
        reached("search.storing")
        self._index.store(source, read)
        reached("search.stored")
        self._index.bound()
        return True


def behind(session: Session, index: sqlite3.Connection | None) -> int:
    """Return how many bytes of output (an event counts one) are not in the index yet."""
    known: dict[tuple[str, str, str], int] = {}
    if index is not None:
        with contextlib.suppress(sqlite3.Error):
            rows = index.execute("SELECT kind, agent_id, part, next FROM sources").fetchall()
            known = {(kind, agent, part): end for kind, agent, part, end in rows}
    return sum(max(0, one.material.size - known.get((one.kind, one.agent_id, one.part), 0)) for one in session.all())
