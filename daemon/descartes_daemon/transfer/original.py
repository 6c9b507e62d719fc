"""Read a database of the original Descartes, of either of its two schemas."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descartes_core import times
from descartes_core.errors import ArchiveInvalid, NotFound, Refused
from descartes_daemon.schema import APPLICATION

#: What names each schema, by table: those columns it has at least.
STORE: Mapping[str, frozenset[str]] = {
    "events": frozenset({"id", "event_type", "timestamp", "session_id", "actor_type", "actor_id", "content"}),
    "tasks": frozenset({"id", "title", "status", "priority", "complexity", "dependencies"}),
    "sessions": frozenset({"id", "agent_id", "started_at", "status"}),
}
INIT: Mapping[str, frozenset[str]] = {
    "events": STORE["events"],
    "tasks": frozenset({"id", "title", "description", "status", "assigned_to", "created_at", "updated_at"}),
    "agents": frozenset({"id", "name", "status", "model_backend", "started_at", "task"}),
}
#: Tables that are read where they are there.
READ = ("tasks", "task_dependencies", "events", "agents", "agent_states", "state_transitions", "state_snapshots")
#: Its own bookkeeping, of which nothing is told.
_BOOKKEEPING = frozenset({"migrations", "_sqlx_migrations"})
#: All of it is one commit, and is in memory meanwhile.
MOST_ROWS, MOST_BYTES = 200_000, 64 * 1024 * 1024
#: Begins the word that one was taken in; its hash follows.
MARK = "original "
_LONGEST = 1024 * 1024
#: From here on a number of a time is one of milliseconds.
_MILLISECONDS = 1e11

Row = dict[str, Any]


@dataclass(slots=True)
class Original:
    """What one such database has."""

    #: `store` or `init`: what wrote it.
    schema: str
    rows: dict[str, list[Row]] = field(default_factory=dict)
    #: Bytes in them.
    size: int = 0
    #: Tables with rows of which we know nothing to make.
    left: list[str] = field(default_factory=list)


def read_original(path: Path) -> Original:
    """Read all of it; in a thread.

    Raises:
        ArchiveInvalid: it is something else, or has more than is taken in one go.
        NotFound: it is not there.
        Refused: it is a database of ours.

    """
    if not path.is_file():
        raise NotFound(f"{path} is no file")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("BEGIN")
            return _read(connection, path)
    except sqlite3.DatabaseError as error:
        raise ArchiveInvalid(f"{path} cannot be read as a database: {error}") from error


def _read(connection: sqlite3.Connection, path: Path) -> Original:
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION:
        raise Refused(f"{path} is the database of a session of ours: `descartes sessions export` takes that elsewhere")
    tables = {
        name: {column["name"] for column in connection.execute(f'PRAGMA table_info("{name}")')}
        for name, sql in connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        if name.isidentifier() and not name.startswith("sqlite") and sql.upper().startswith("CREATE TABLE")
    }
    found = Original(_schema_of(tables, path))
    for table in READ:
        if table in tables:
            found.rows[table] = []
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - an identifier
                found.rows[table].append(dict(row))
                found.size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
                _refuse_more(found, path)
    for table in sorted(set(tables) - set(READ) - _BOOKKEEPING):
        if connection.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone():  # noqa: S608 - an identifier
            found.left.append(table)
    return found


def _refuse_more(found: Original, path: Path) -> None:
    if sum(map(len, found.rows.values())) > MOST_ROWS or found.size > MOST_BYTES:
        most = f"{MOST_ROWS} rows or {MOST_BYTES >> 20} MiB"
        raise ArchiveInvalid(f"{path} has more than {most}: make a copy of it, and delete there what is not wanted")


def _schema_of(tables: Mapping[str, set[str]], path: Path) -> str:
    for schema, wanted in (("store", STORE), ("init", INIT)):
        if all(columns <= tables.get(table, set()) for table, columns in wanted.items()):
            return schema
    if "zmq_address" in tables.get("agents", set()):
        raise ArchiveInvalid(f"{path} is of the original's unfinished bus: nothing else ever read that either")
    names = ", ".join(sorted(tables)[:10]) or "none"
    raise ArchiveInvalid(f"{path} is no database of the original Descartes: its tables are {names}")


def moment(value: Any, otherwise: float) -> float:
    """Return a time as Unix seconds, however it was written."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = value / 1000 if abs(value) > _MILLISECONDS else float(value)
        return seconds if 0 <= seconds < _MILLISECONDS else otherwise
    try:
        return times.read(str(value).replace(" ", "T", 1))
    except (ValueError, OverflowError):
        return otherwise


def text(value: Any) -> str:
    """Return a column as text that can be stored and told."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return "" if value is None else str(value)[:_LONGEST].encode("utf-8", "replace").decode()


def parsed(value: Any) -> Any:
    """Return what a column holds as JSON; what is none is text."""
    if not isinstance(value, (str, bytes)):
        return value
    try:
        return json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text(value)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not JSON, whatever Python says")


def named(row: Row, *names: str) -> Iterator[tuple[str, Any]]:
    """Yield those columns that say something."""
    for name in names:
        if (value := row.get(name)) not in (None, ""):
            yield name, parsed(value) if name in ("metadata", "state_data") else value
