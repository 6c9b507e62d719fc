"""Write a group of units in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from descartes_core.errors import (
    AgentNotFound,
    AlreadyExists,
    Conflict,
    DescartesError,
    IllegalTransition,
    LimitReached,
    NotFound,
)
from descartes_daemon.sql import QUERIES
from descartes_daemon.transaction import transaction
from descartes_daemon.unit import Unit

#: What is the matter with one unit and not with the database: refused by a trigger or a key, or not to be bound.
_REFUSED = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    ValueError,  # text that is no Unicode
    OverflowError,  # an integer beyond 64 bits
)

#: The unit's events as they are told, or why it was refused.
Outcome = list[dict[str, Any]] | DescartesError


def write(connection: sqlite3.Connection, units: Sequence[Unit]) -> list[Outcome]:
    """Commit all units at once; one that is refused fails alone.

    Raises:
        sqlite3.Error: nothing is written (disk full, input or output error).

    """
    with transaction(connection):
        return [_write_one(connection, unit) for unit in units]


def _write_one(connection: sqlite3.Connection, unit: Unit) -> Outcome:
    connection.execute("SAVEPOINT unit")
    params: dict[str, Any] = {}
    told = []
    try:
        for query, params in unit.statements:
            connection.execute(query, params)
        for event in unit.events:
            params = event.as_params()
            told.append(event.told(connection.execute(QUERIES["tell"], params).lastrowid or 0))
    except _REFUSED as error:
        connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")
        return _explained(connection, params, error)
    connection.execute("RELEASE unit")
    return told


def _explained(connection: sqlite3.Connection, params: dict[str, Any], error: Exception) -> DescartesError:
    """Return what the person who asked is told; `params` are those of the statement that failed."""
    found: DescartesError
    match str(error):
        case "stale state":
            row = connection.execute(QUERIES["state_of"], {"id": params["agent"]}).fetchone()
            agent = params["agent"]
            found = (
                IllegalTransition(f"agent {agent}", row["state"], params["cause"])
                if row
                else AgentNotFound(f"there is no agent {agent}")
            )
        case "agent exists":
            found = AlreadyExists(f"agent {params['id']} exists already")
        case "stale version":
            found = Conflict(f"{params['key']!r} of agent {params['agent']} was changed meanwhile")
        case "too many snapshots":
            found = LimitReached("there are 1,000 snapshots already: forget some, or let them expire")
        case "NOT NULL constraint failed: state_changes.cause":
            found = NotFound(f"snapshot {params['snapshot']} has gone meanwhile")
        case "too many keys":
            found = LimitReached(f"agent {params['agent']} keeps something under 10,000 keys already")
        case "UNIQUE constraint failed: requests.id":
            found = Conflict(f"request {params['id']} was accepted before")
        case text:
            found = DescartesError(f"the store refused it: {text}")
    found.__cause__ = error
    return found
