"""Open a session's database, and bring its schema up to date."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from descartes_core.errors import SchemaTooNew, Unavailable
from descartes_daemon.sql import MIGRATIONS, statements
from descartes_daemon.transaction import transaction
from descartes_local.json_file import sync_directory

#: `application_id` of our databases ("DSCR"): any other one is somebody else's.
APPLICATION = 0x44534352
#: How long a connection waits for another process, which may be migrating (seconds).
PATIENCE = 10.0

_NEWEST = MIGRATIONS[-1][0]
#: The lower byte of what SQLite tells while somebody else is at it.
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def open_writer(path: Path) -> sqlite3.Connection:
    """Open a database for writing, in any thread; make it, or bring it to the present schema.

    Raises:
        SchemaTooNew: a newer Descartes wrote it; the file is as it was.
        Unavailable: it cannot be opened, or is not ours.

    """
    with _named(path):
        _look(path)
        if not path.exists():
            _make(path)
        # SQLite would make it with the umask's mode, and its -wal and -shm with the same.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _connect(path)
        try:
            _write_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            migrate(connection)
            _check(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a database that is there, for reading.

    Raises:
        Unavailable: it cannot be opened.

    """
    with _named(path):
        connection = _connect(path)
        connection.execute("PRAGMA query_only = ON")
    return connection


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(f"cannot use {path}: {error}") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    # A daemon is paid for per workspace: what it reads again and again is small.
    connection.execute("PRAGMA cache_size = -512")
    return connection


@cache
def fresh_database() -> bytes:
    """Return a new database as the bytes of its file; it is the same for every session, and made step by step slow."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        image = bytearray(connection.serialize())
    # Read and write version (sqlite.org/fileformat2.html): write-ahead, to which none in memory can be switched.
    image[18:20] = b"\2\2"
    return bytes(image)


def _make(path: Path) -> None:
    """Put a new database there whole, unless another process has meanwhile; where that cannot be, SQLite makes it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(fresh_database())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):
            os.link(temporary, path)
            sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _look(path: Path) -> None:
    """Look before anything is written: what is newer, or not ours, stays as it is."""
    if not path.exists() or path.stat().st_size == 0:
        return
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE)) as connection:
        _check(path, connection)


def _check(path: Path, connection: sqlite3.Connection) -> None:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    version = schema_of(connection)
    if mark != APPLICATION and (mark or tables or version):
        raise Unavailable(f"{path} is not a database of Descartes: move it away")
    if version > _NEWEST:
        raise SchemaTooNew(
            f"{path} has schema {version}, this Descartes knows up to {_NEWEST}: use the newer one, it is left as it is"
        )


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait here for another process that does the same."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Only what may pass is waited for: a full disk is told at once.
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def migrate(connection: sqlite3.Connection, migrations: Sequence[tuple[int, str]] = MIGRATIONS) -> None:
    """Apply what is missing, each migration whole or not at all; two processes may do this at once."""
    if schema_of(connection) >= migrations[-1][0]:
        return
    for number, script in migrations:
        with transaction(connection):
            if schema_of(connection) < number:  # asked again under the lock: another process may have been quicker
                for statement in statements(script):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {number}")


def schema_of(connection: sqlite3.Connection) -> int:
    """Return the number of the last migration."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
