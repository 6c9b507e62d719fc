"""The index of a session: which words stand in which passage.

It is `search.db`, in volumes, of which the oldest is dropped when there is too much.
All in it can be made anew from what it tells of, so whatever cannot be read is removed, and begun again. Passages have
no text here: where it stands is read again. Whoever writes says how far the source had been read before: of two who
write at once one finds out, and stores nothing.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import NamedTuple

from descartes_daemon.search.index_opening import NAME, is_passing, opened, remove
from descartes_daemon.search.words import indexed, mark
from descartes_daemon.transaction import transaction

#: Passages of one volume, unless so few bytes are allowed that this would be a large part of them.
_VOLUME = 65_536
_LEAST_VOLUME = 256
#: What a passage takes, about (bytes), and of how many volumes one is dropped.
_PASSAGE, _SHARE = 900, 12


class Passage(NamedTuple):
    """A piece of a source, and what it says."""

    begin: int
    end: int
    at: float
    text: str
    #: Of which task it tells, and of which agent, where its source does not say.
    task: str = ""
    agent_id: str = ""


class Read(NamedTuple):
    """What was read of a source in one go."""

    passages: list[Passage]
    #: Where to go on, and what folding remembers by then.
    next: int
    folded: bytes = b""


class Source(NamedTuple):
    """A source as it is stored."""

    id: int
    kind: str
    agent_id: str
    part: str
    next: int
    folded: bytes


class OvertakenError(Exception):
    """Somebody else writes into the same index."""


class Index:
    """The index of one session, for its one writer."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        """Open it, or begin it anew where what is there is none.

        Raises:
            OSError: it can be neither opened nor made.

        """
        self.path = directory / NAME
        self._most = max_bytes
        self._rows = max(_LEAST_VOLUME, min(_VOLUME, max_bytes // _SHARE // _PASSAGE))
        try:
            self.connection = opened(self.path)
        except sqlite3.DatabaseError as error:
            if is_passing(error):
                raise OSError(str(error)) from error
            remove(directory)
            self.connection = opened(self.path)
        found = self.connection.execute("SELECT number, first, last FROM volumes ORDER BY number DESC").fetchone()
        self._volume: int
        self._first: int
        self._last: int
        self._volume, self._first, self._last = found or (0, 1, 0)

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()

    def source(self, kind: str, agent_id: str, part: str) -> Source:
        """Return a source as it was stored, or a new one."""
        query = "SELECT * FROM sources WHERE (kind, agent_id, part) = (?, ?, ?)"
        found = self.connection.execute(query, (kind, agent_id, part)).fetchone()
        return Source(*found) if found else Source(0, kind, agent_id, part, 0, b"")

    def store(self, source: Source, read: Read, *, is_other: bool = False) -> Source:
        """Store what was read of a source, whole or not at all, and return it as it is then.

        Args:
            source: As it was before.
            read: What was read.
            is_other: Whether what is known of it tells of something that is no more.

        Raises:
            OvertakenError: it has been read further meanwhile.
            sqlite3.Error: it cannot be stored, as on a full disk.

        """
        with transaction(self.connection):
            if self.source(source.kind, source.agent_id, source.part) != source:
                raise OvertakenError
            if is_other:
                self.connection.execute("DELETE FROM sources WHERE id = ?", (source.id,))
                source = source._replace(id=0)
            identity = self._kept(source, read)
            self._add(source._replace(id=identity), read.passages)
        return source._replace(id=identity, next=read.next, folded=read.folded)

    def bound(self) -> int:
        """Drop the oldest volumes until there is room, and return how many passages went."""
        gone = 0
        while self._bytes() > self._most:
            found = self.connection.execute("SELECT number, first, last FROM volumes ORDER BY number").fetchone()
            if found is None:
                break
            number, first, last = found
            with transaction(self.connection):
                self.connection.execute(f"DROP TABLE words_{number}")
                self.connection.execute("DELETE FROM passages WHERE id BETWEEN ? AND ?", (first, last))
                self.connection.execute("DELETE FROM volumes WHERE number = ?", (number,))
                self._count("dropped", last - first + 1)
            gone += last - first + 1
            if number == self._volume:
                self._first = self._last + 1
                self._volume += 1
        return gone

    def _bytes(self) -> int:
        (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
        (free,) = self.connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = self.connection.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * size)

    def _kept(self, source: Source, read: Read) -> int:
        if source.id:
            values = read.next, read.folded, source.id
            self.connection.execute("UPDATE sources SET next = ?, folded = ? WHERE id = ?", values)
            return source.id
        new = source.kind, source.agent_id, source.part, read.next, read.folded
        query = "INSERT INTO sources (kind, agent_id, part, next, folded) VALUES (?, ?, ?, ?, ?)"
        return int(self.connection.execute(query, new).lastrowid or 0)

    def _add(self, source: Source, passages: list[Passage]) -> None:
        while passages:
            if self._last - self._first + 1 >= self._rows or not self._has_volume():
                self._begin_volume()
            room = self._rows - (self._last - self._first + 1)
            part, passages = passages[:room], passages[room:]
            first = self._last + 1
            self.connection.executemany(
                f"INSERT INTO words_{self._volume} (rowid, text) VALUES (?, ?)",
                ((first + at, _text(source, one)) for at, one in enumerate(part)),
            )
            rows = ((first + at, source.id, one.begin, one.end, one.at) for at, one in enumerate(part))
            self.connection.executemany("INSERT INTO passages VALUES (?, ?, ?, ?, ?)", rows)
            self._last += len(part)
            times = [one.at for one in part]
            self.connection.execute(
                "UPDATE volumes SET last = ?, oldest = min(oldest, ?), newest = max(newest, ?) WHERE number = ?",
                (self._last, min(times), max(times), self._volume),
            )

    def _has_volume(self) -> bool:
        query = "SELECT 1 FROM volumes WHERE number = ?"
        return self.connection.execute(query, (self._volume,)).fetchone() is not None

    def _begin_volume(self) -> None:
        self._volume, self._first = self._volume + 1, self._last + 1
        self.connection.execute(
            f"CREATE VIRTUAL TABLE words_{self._volume} USING fts5(text, content='', detail=none, tokenize='ascii')"
        )
        values = self._volume, self._first, self._last
        self.connection.execute("INSERT INTO volumes VALUES (?, ?, ?, 9e99, -9e99)", values)

    def _count(self, name: str, more: int) -> None:
        query = "INSERT INTO counts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value"
        self.connection.execute(query, (name, more))


def _text(source: Source, passage: Passage) -> str:
    marks = [mark("k", source.kind)]
    if agent_id := passage.agent_id or source.agent_id:
        marks.append(mark("a", agent_id))
    if passage.task:
        marks.append(mark("t", passage.task))
    return f"{' '.join(marks)} {indexed(passage.text)}"
