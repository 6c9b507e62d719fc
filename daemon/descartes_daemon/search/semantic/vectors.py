"""The vectors in `search.db`, which go with their passages."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy

from descartes_daemon.transaction import transaction

#: Passages of one row: so many vectors are made and stored in one go.
BLOCK = 64
_SCHEMA = (
    # Half as long numbers as are reckoned with: what they lose is less than any two texts differ by.
    "CREATE TABLE IF NOT EXISTS vectors (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, rows BLOB NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS embedder (name TEXT NOT NULL, size INTEGER NOT NULL) STRICT",
    """CREATE TRIGGER IF NOT EXISTS vectors_gone AFTER DELETE ON volumes BEGIN
        DELETE FROM vectors WHERE first BETWEEN old.first AND old.last;
    END""",
)
_THERE = "SELECT count(*) FROM sqlite_master WHERE name IN ('vectors', 'embedder', 'vectors_gone')"


class Block(NamedTuple):
    """A run of passages."""

    first: int
    length: int

    @property
    def ids(self) -> Any:
        """Their ids."""
        return numpy.arange(self.first, self.first + self.length, dtype=numpy.int64)


def are_there(index: sqlite3.Connection) -> bool:
    """Say whether vectors are kept in an index: since somebody asked for what is alike."""
    return bool(index.execute(_THERE).fetchone()[0] == len(_SCHEMA))


def begin(index: sqlite3.Connection, name: str) -> None:
    """Keep vectors from now on; those of another embedder go."""
    with transaction(index):
        for statement in _SCHEMA:
            index.execute(statement)
        if name_of(index) not in (name, None):
            index.execute("DELETE FROM vectors")
            index.execute("DELETE FROM embedder")


def name_of(index: sqlite3.Connection) -> str | None:
    """Return which embedder made them; None while there are none."""
    found = index.execute("SELECT name FROM embedder").fetchone()
    return None if found is None else str(found[0])


def size_of(index: sqlite3.Connection) -> int:
    """Return how many numbers a vector has; 0 while there are none."""
    found = index.execute("SELECT size FROM embedder").fetchone()
    return 0 if found is None else int(found[0])


def missing(index: sqlite3.Connection) -> Iterator[Block]:
    """Walk over the passages that have no vector, the newest first; none reaches over the end of a volume."""
    for first, last in index.execute("SELECT first, last FROM volumes ORDER BY number DESC").fetchall():
        end = last + 1
        query = "SELECT first, count FROM vectors WHERE first BETWEEN ? AND ? ORDER BY first DESC"
        for begin_, count in [*index.execute(query, (first, last)).fetchall(), (first, 0)]:
            while end > begin_ + count:
                start = max(begin_ + count, end - BLOCK)
                yield Block(start, end - start)
                end = start
            end = begin_


def count_missing(index: sqlite3.Connection) -> int:
    """Return how many passages have no vector."""
    (passages,) = index.execute("SELECT ifnull(sum(last - first + 1), 0) FROM volumes").fetchone()
    if not are_there(index):
        return int(passages)
    (there,) = index.execute("SELECT ifnull(sum(count), 0) FROM vectors").fetchone()
    return max(0, int(passages) - int(there))


def store(index: sqlite3.Connection, name: str, block: Block, rows: Any) -> None:
    """Store the vectors of a run of passages, unless they went, or somebody else was quicker."""
    with transaction(index):
        if name_of(index) is None:
            index.execute("INSERT INTO embedder VALUES (?, ?)", (name, rows.shape[1]))
        index.execute(
            """INSERT INTO vectors SELECT ?1, ?2, ?3
            WHERE EXISTS (SELECT 1 FROM volumes WHERE ?1 BETWEEN first AND last)
            AND NOT EXISTS (SELECT 1 FROM vectors WHERE first < ?1 + ?2 AND first + count > ?1)
            AND EXISTS (SELECT 1 FROM embedder WHERE (name, size) = (?4, ?5))""",
            (block.first, block.length, rows.astype(numpy.float16).tobytes(), name, rows.shape[1]),
        )


def blocks(index: sqlite3.Connection) -> set[Block]:
    """Return which passages have vectors."""
    return {Block(*row) for row in index.execute("SELECT first, count FROM vectors").fetchall()}


def rows_of(index: sqlite3.Connection, block: Block, size: int) -> Any:
    """Return the vectors of a run; None where they went meanwhile."""
    query = "SELECT rows FROM vectors WHERE (first, count) = (?, ?)"
    found = index.execute(query, block).fetchone()
    if found is None or len(found[0]) != 2 * size * block.length:
        return None
    return numpy.frombuffer(found[0], numpy.float16).reshape(block.length, size).astype(numpy.float32)
