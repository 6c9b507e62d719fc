"""Copy the rows of a session's database into a new one, of our own schema.

What is copied is the history. What belongs to a running session or to this machine stays behind: requests and their
answers, processes that are still to be ended, and hooks, which have secrets and run programs.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from descartes_core.errors import ArchiveInvalid, SchemaTooNew
from descartes_daemon.schema import APPLICATION, migrate
from descartes_daemon.sql import MIGRATIONS
from descartes_daemon.transaction import transaction
from descartes_daemon.transfer.original import MARK

#: Tables whose rows stay behind; so do those of hooks, by their first letters.
_LEFT, _HOOKS = frozenset({"requests", "remains"}), "hook"
#: Which words about the session are true of a copy, too: how far its events are gone, what it has taken in.
_WORDS = f"key = 'events_gone_to' OR key GLOB '{MARK}*'"
_NEWEST = MIGRATIONS[-1][0]

Change = Callable[[sqlite3.Connection], None]


def copy_rows(source: Path, target: Path, change: Change, *, is_still: bool = False) -> None:
    """Make a new database of what another one has, at one moment.

    Args:
        source: the other one; nothing of its schema is used, so that no trigger or view of it is ever run.
        target: where there is nothing yet.
        change: called with the copy before it is bound by its rules (no row of the past may change).
        is_still: whether nobody writes into the other one.

    Raises:
        ArchiveInvalid: the other one is not of our schema, or its rows break it.
        SchemaTooNew: a newer Descartes wrote it.
        sqlite3.Error: it cannot be read or written.

    """
    where = f"{source.absolute().as_uri()}?mode=ro{'&immutable=1' * is_still}"
    with contextlib.closing(sqlite3.connect(target, isolation_level=None, uri=True)) as connection:
        # Nobody else knows this file yet: what a kill leaves of it is thrown away.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("ATTACH ? AS source", (where,))
        _make(connection)
        if is_still:
            _look_through(connection)
        try:
            with transaction(connection), _without_rules(connection):
                _copy(connection)
                change(connection)
        except sqlite3.IntegrityError as error:
            raise ArchiveInvalid(f"its rows are not what they must be: {error}") from error
        connection.execute("DETACH source")
        migrate(connection)


def _make(connection: sqlite3.Connection) -> None:
    """Make the tables that the other one must have."""
    version = _one(connection, "PRAGMA source.user_version")
    if version > _NEWEST:
        raise SchemaTooNew(f"it has schema {version}, this Descartes knows up to {_NEWEST}: use the newer one")
    if version < 1 or _one(connection, "PRAGMA source.application_id") != APPLICATION:
        raise ArchiveInvalid("its database is none of Descartes")
    migrate(connection, [one for one in MIGRATIONS if one[0] <= version])
    if _schema(connection, "source") != _schema(connection, "main"):
        raise ArchiveInvalid("its database has another schema than it says")


def _look_through(connection: sqlite3.Connection) -> None:
    """Look through every page of what somebody may have damaged; its schema is known to be ours by now."""
    (word,) = connection.execute("PRAGMA source.quick_check(1)").fetchone()
    if word != "ok":
        raise ArchiveInvalid(f"its database is damaged: {word}")


@contextlib.contextmanager
def _without_rules(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the triggers away for the block; who inserts a past would be refused by each of them."""
    rules = connection.execute("SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in rules:
        connection.execute(f'DROP TRIGGER main."{name}"')
    yield
    for _, rule in rules:
        connection.execute(rule)


def _copy(connection: sqlite3.Connection) -> None:
    for table in _tables(connection):
        columns = ", ".join(f'"{row[1]}"' for row in connection.execute(f'PRAGMA main.table_info("{table}")'))
        which = f"WHERE {_WORDS}" if table == "meta" else ""
        # The names are those of our own schema.
        connection.execute(f'INSERT INTO main."{table}" ({columns}) SELECT {columns} FROM source."{table}" {which}')  # noqa: S608
    if wrong := connection.execute("PRAGMA main.foreign_key_check").fetchone():
        raise ArchiveInvalid(f"a row of {wrong[0]} belongs to nothing")


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return [name for (name,) in rows if name not in _LEFT and not name.startswith(_HOOKS)]


def _schema(connection: sqlite3.Connection, database: str) -> list[Any]:
    # Statistics and counters are SQLite's own, and are not copied.
    rows = connection.execute(f"SELECT type, name, tbl_name, sql FROM {database}.sqlite_master")  # noqa: S608 - ours
    return sorted((row for row in rows if not row[1].startswith("sqlite")), key=lambda row: row[:2])


def _one(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
