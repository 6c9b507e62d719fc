"""Make a session's database of one that came from elsewhere: a program, which `sessions import` runs.

Anybody may have made what came. Its rows are copied into a database of ours, and what would have us do anything on
this machine is taken out of them: no process, no control group, no other machine is believed. Who lived when it was
written runs elsewhere, or no more: here it is lost, and failed, and its history says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from descartes_core.agent_life import FINAL, Cause, State, move
from descartes_core.errors import ArchiveInvalid, DescartesError, Unavailable
from descartes_core.events import agent_event
from descartes_core.ids import is_id
from descartes_daemon.transfer.rows import copy_rows
from descartes_daemon.unit import Unit
from descartes_daemon.writing import write
from descartes_local.archive_form import STATE

#: As it came.
INCOMING = "incoming.db"
#: The last moment that can be written down; no counter of ours comes near the other one, and some room is left behind.
_LATEST, _LAST_NUMBER = 253_402_300_799, 2**53
_LARGEST_SCREEN = 1000


def receive(directory: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Make `state.db` of `incoming.db`, which is then gone; return what became of it.

    Raises:
        DescartesError: it cannot be taken in, or not be written.

    """
    incoming, state = directory / INCOMING, directory / STATE
    try:
        copy_rows(incoming, state, _disarm, is_still=True)
        with contextlib.closing(sqlite3.connect(state, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            known = {row["id"] for row in connection.execute("SELECT id FROM agents")}
            lost = _end_living(connection, about)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise Unavailable(f"{state} cannot be written: {error}") from error
        raise ArchiveInvalid(f"its database cannot be read: {error}") from error
    _look_at_files(directory / "agents", known)
    incoming.unlink()
    with open(state, "rb") as file:
        os.fsync(file.fileno())
    return {"agents": len(known), "lost": lost}


def _disarm(connection: sqlite3.Connection) -> None:
    """Let no row name anything of this machine."""
    for (identity,) in connection.execute("SELECT id FROM main.agents"):
        if not is_id(identity):  # its directory bears this name
            raise ArchiveInvalid(f"{identity[:100]!r} is no agent's id")
    _refuse_impossible(connection)
    connection.execute("""
        UPDATE main.agents SET pid = NULL, process_started = NULL, boot_id = NULL, cgroup = NULL,
            host = NULL, host_key = NULL, owner = NULL
    """)


def _refuse_impossible(connection: sqlite3.Connection) -> None:
    """Refuse what fits the schema, and with which nobody could ever read or continue this history."""
    for table, column, is_key in connection.execute("""
        SELECT tables.name, columns.name, columns.pk
        FROM main.sqlite_master AS tables, pragma_table_info(tables.name, 'main') AS columns
        WHERE tables.type = 'table' AND (columns.type = 'REAL' OR (columns.type = 'INTEGER' AND columns.pk))
    """).fetchall():
        most = _LAST_NUMBER if is_key else _LATEST
        _refuse_any(connection, table, f'"{column}" NOT BETWEEN 0 AND {most}', f"{column} of {table}")
    for size in ("rows", "cols"):
        _refuse_any(connection, "agents", f"{size} NOT BETWEEN 1 AND {_LARGEST_SCREEN}", f"a terminal's {size}")
    for begin in ("output_from", "errors_from"):
        _refuse_any(connection, "agents", f"{begin} < 0", begin)
    _refuse_any(connection, "meta", "key = 'events_gone_to' AND value GLOB '*[^0-9]*'", "where its events begin")


def _refuse_any(connection: sqlite3.Connection, table: str, which: str, what: str) -> None:
    # The names are those of our own schema.
    if connection.execute(f'SELECT 1 FROM main."{table}" WHERE {which} LIMIT 1').fetchone():  # noqa: S608
        raise ArchiveInvalid(f"{what} cannot be what it is in a row: it was damaged or changed")


def _end_living(connection: sqlite3.Connection, about: dict[str, Any]) -> list[dict[str, str]]:
    """Say of everybody who lived what is known here: nothing; and tell that the session came from elsewhere."""
    unit, now, lost = Unit(), time.time(), []
    session = about.get("session")
    came = {
        "from_session": str(session.get("id", "")) if isinstance(session, dict) else "",
        "exported_at": str(about.get("exported_at", "")),
        "made_by": str(about.get("made_by", "")),
    }
    evidence = f"it lived when this history was exported ({came['exported_at'][:40]}), and does not run here"
    for row in connection.execute("SELECT id, name, state FROM agents ORDER BY created_at, id").fetchall():
        state = State(row["state"])
        if state in FINAL:
            continue
        lost.append({"id": row["id"], "name": row["name"]})
        for cause in (Cause.HOST_GONE, Cause.GIVEN_UP):
            if state is State.LOST and cause is Cause.HOST_GONE:
                continue
            became = move(row["id"], state, cause).to
            data = {"name": row["name"], "was": state, "status": became, "cause": cause, "evidence": evidence}
            unit.move(row["id"], state, became, cause, evidence=evidence, at=now)
            unit.event("AgentEvent", agent_event(cause, became), row["id"], data, now)
            state = became
        unit.set_ended(row["id"], now, None, None)
    names = [one["name"] for one in lost]
    unit.event("SystemEvent", "session_imported", None, {**came, "lost": names}, now)
    (outcome,) = write(connection, [unit])
    if isinstance(outcome, DescartesError):
        raise ArchiveInvalid(f"its history cannot go on: {outcome.message}") from outcome
    return lost


def _look_at_files(agents: Path, known: set[str]) -> None:
    with contextlib.suppress(FileNotFoundError):
        if strange := set(os.listdir(agents)) - known:
            raise ArchiveInvalid(f"it has the output of {min(strange)}, of which no row knows")


def main() -> int:
    """Do it for the directory that is named; what came says on standard input what it is."""
    try:
        told: dict[str, Any] = receive(Path(sys.argv[1]), json.load(sys.stdin))
    except DescartesError as error:
        told = {"error": [error.code, error.message]}
    json.dump(told, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
