"""Bring an index up to date with all that can be found."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from descartes_core.agent_life import FINAL
from descartes_daemon.schema import open_reader
from descartes_daemon.search.documents import Document, own_tasks, tasks_of, transcript, transcripts_of
from descartes_daemon.search.events import Happened
from descartes_daemon.search.hiding import Hiding
from descartes_daemon.search.index_file import Index, Read, Source
from descartes_daemon.search.outputs import PIECE, Said
from descartes_daemon.search.typed import Typed
from descartes_local.probe import reached

#: An index is not what fills a disk: less than this is left free (bytes).
ROOM = 64 * 1024 * 1024
#: While something is said faster than it is read, it is rested so many times longer than worked: a twentieth of a core.
_RESTS = 19
_AGENTS = "SELECT * FROM agents ORDER BY created_at, id"
_AGENT = "SELECT * FROM agents WHERE id = ?"


class Material(Protocol):
    """What can be found, in order."""

    def behind(self, known: int) -> int:
        """Return how much there is beyond what is known; less than nothing where that is of something else."""

    def read(self, source: Source, hiding: Hiding) -> Read | None:
        """Read on from where the source had been read to; None where there is nothing more by now."""

    def text(self, begin: int, end: int, hiding: Hiding) -> str:
        """Return what a passage says; nothing where it is not there any more."""

    def lines(self, begin: int, end: int, hiding: Hiding) -> list[tuple[int, str]]:
        """Return the same line by line, each with the offset where it begins."""


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
        for row in self._agents():
            yield from self._outputs(row)
        yield Found("event", "", "", Happened(self.state))
        yield Found("input", "", "", Typed(self.state))
        if (own := own_tasks(self.state)) is not None:
            yield Found("task", "", "own", own)
        if self.workspace is None:
            return
        if (tasks := tasks_of(self.workspace)) is not None:
            yield Found("task", "", "", tasks)
        for name, document in transcripts_of(self.workspace):
            yield Found("transcript", "", name, document)

    def material(self, kind: str, agent_id: str, part: str) -> Material | None:
        """Return one of them; None where it is no more."""
        match kind:
            case "event":
                return Happened(self.state)
            case "input":
                return Typed(self.state)
            case "task" if part == "own":
                return own_tasks(self.state)
            case "task":
                return tasks_of(self.workspace) if self.workspace else None
            case "transcript":
                return transcript(self.workspace, part) if self.workspace else None
        for row in self._agents(agent_id):
            return next((one.material for one in self._outputs(row) if one.part == part), None)
        return None

    def about(self, kind: str, begin: int) -> str | None:
        """Return the agent that a passage is about, where its source is no agent's."""
        if kind not in ("event", "input"):
            return None
        return (Happened(self.state) if kind == "event" else Typed(self.state)).about(begin)

    def name_of(self, agent_id: str) -> str | None:
        """Return an agent's name."""
        found = self.state.execute("SELECT name FROM agents WHERE id = ?", (agent_id,)).fetchone()
        return None if found is None else str(found[0])

    def _agents(self, only: str | None = None) -> list[dict[str, Any]]:
        """Return what a store knows of agents; an older one has fewer columns."""
        cursor = self.state.execute(_AGENTS if only is None else _AGENT, () if only is None else (only,))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _outputs(self, row: dict[str, Any]) -> Iterator[Found]:
        if row.get("collected_at") is not None:
            return
        directory = self.directory / "agents" / row["id"]
        for stream, column in (("stdout", "output_from"), ("stderr", "errors_from")):
            if stream == "stdout" or not row.get("tty", True):
                begin, has_ended, task = row.get(column, 0), row["state"] in FINAL, row.get("task") or ""
                said = Said(directory, stream, begin, has_ended=has_ended, task=task)
                yield Found("output", row["id"], stream, said)


class Indexing:
    """Brings an index up to date."""

    def __init__(
        self,
        session: Session,
        index: Index,
        hiding: Hiding,
        *,
        goes_on: Callable[[], bool],
        room: int = ROOM,
        rest: Callable[[float], None] | None = None,
    ) -> None:
        """Take what is needed.

        Args:
            session: What is read.
            index: What is written.
            hiding: What hides secrets.
            goes_on: Whether there is still somebody for whom to go on.
            room: What is left free of the disk.
            rest: Rests for some seconds, while much is being said; None where somebody waits for the index.

        """
        self._session, self._index, self._hiding = session, index, hiding
        self._goes_on, self._room, self._rest = goes_on, room, rest
        self._is_flooded = False

    def run(self) -> None:
        """Go on until a whole round finds nothing more, or until there is nobody for whom to go on.

        Raises:
            OvertakenError: somebody else does the same.
            NoRoomError: the disk is too full.
            sqlite3.Error: the index cannot be written.

        """
        # A round takes a piece of each, so that none waits for a loud one.
        begun = time.process_time()
        while sum(self._step(found) for found in self._session.all()):
            if self._rest is not None and self._is_flooded:
                # Priorities do not count between sessions of processes where the kernel groups them by these.
                self._rest((time.process_time() - begun) * _RESTS)
            self._is_flooded, begun = False, time.process_time()

    def _step(self, found: Found) -> bool:
        """Read one piece of one source; say whether there was any."""
        if not self._goes_on():
            return False
        source = self._index.source(found.kind, found.agent_id, found.part)
        left = found.material.behind(source.next)
        if left == 0:
            return False
        if isinstance(found.material, Said) and left > PIECE and not found.material.is_at_rest():
            self._is_flooded = True
        is_other = left < 0 or isinstance(found.material, Document)  # a log that its program has cut, or all anew
        read = found.material.read(source._replace(next=0, folded=b"") if is_other else source, self._hiding)
        if read is None:
            return False
        free = os.statvfs(self._index.path.parent)
        if free.f_bavail * free.f_frsize < self._room:
            raise NoRoomError
        reached("search.storing")
        self._index.store(source, read, is_other=is_other)
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
    return sum(abs(one.material.behind(known.get((one.kind, one.agent_id, one.part), 0))) for one in session.all())
