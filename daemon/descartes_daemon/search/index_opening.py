"""Open the file of an index, or begin it anew."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from descartes_daemon.transaction import transaction

NAME = "search.db"
#: `application_id` ("DSCS"), and what is written there: another number is begun anew.
APPLICATION, VERSION = 0x44534353, 1
_PATIENCE = 10.0
#: The lower byte of what SQLite tells of errors that say nothing against the file.
_PASSING = (
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR),
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_NOMEM),
)

_SCHEMA = """
CREATE TABLE sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    -- The stream of an agent, or the name of a file.
    part TEXT NOT NULL,
    -- Read up to here; and what folding remembers.
    next INTEGER NOT NULL,
    folded BLOB NOT NULL,
    UNIQUE (kind, agent_id, part)
) STRICT;
CREATE TABLE passages (
    id INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    begin INTEGER NOT NULL,
    end INTEGER NOT NULL,
    at REAL NOT NULL
) STRICT;
CREATE TABLE volumes (
    number INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    oldest REAL NOT NULL,
    newest REAL NOT NULL
) STRICT;
CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""


def is_passing(error: sqlite3.Error) -> bool:
    """Say whether what went wrong says nothing against the file: it is in use, or there is no room."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


def remove(directory: Path) -> None:
    """Remove an index, so that it is made anew."""
    for end in ("", "-wal", "-shm"):
        (directory / f"{NAME}{end}").unlink(missing_ok=True)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open an index that is there, for reading in any thread.

    Raises:
        sqlite3.Error: it cannot be read.

    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA cache_size = -2048")
        connection.execute("PRAGMA mmap_size = 1073741824")
        if not _is_ours(connection):
            raise sqlite3.DatabaseError("no index of ours")
    except BaseException:
        connection.close()
        raise
    return connection


def opened(path: Path) -> sqlite3.Connection:
    """Open an index for its one writer; make it where there is none.

    Raises:
        sqlite3.DatabaseError: what is there is something else.
        OSError: it can be neither opened nor made.

    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
    try:
        if not path.stat().st_size:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        # A loss of power may take the newest passages, with how far was read: they are read again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        if not _is_ours(connection):
            _make(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Say whether it is an index of this version.

    Raises:
        sqlite3.DatabaseError: it is something else.

    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version) == (APPLICATION, VERSION):
        return True
    if tables or application or version:
        raise sqlite3.DatabaseError("something else, or of another version")
    return False


def _make(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
