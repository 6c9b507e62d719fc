"""What agents keep under keys, as it is and as it was."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

from descartes_core.errors import NotFound
from descartes_core.messages.state import LARGEST_PAGE, GetState, QueryState
from descartes_core.times import written
from descartes_daemon.sql import QUERIES
from descartes_daemon.state.whose import Whose
from descartes_daemon.store import Store

Reply = dict[str, Any]


class Reading:
    """Reads values: one, or a page of them."""

    def __init__(self, store: Store, whose: Whose) -> None:
        self._store, self._whose = store, whose

    async def get(self, request: GetState) -> Reply:
        """state.get: one value, as it is or as an earlier change left it."""
        agent = await self._whose.find(request.agent_id)
        named = {"agent": agent, "key": request.key}
        if request.version is not None:
            return await self._as_it_was(named, request.version)
        for row in await self._store.select("state_value", **named):
            return _value(row, row["updated_at"])
        raise NotFound(f"agent {agent} keeps nothing under {request.key!r}")

    async def _as_it_was(self, named: dict[str, str], version: int) -> Reply:
        missing = f"version {version} of {named['key']!r} of agent {named['agent']}"
        for row in await self._store.select("state_value_at", **named, version=version):
            if not row["there"]:
                raise NotFound(f"{missing} is its deletion")
            if row["value"] is None:
                break
            return _value(row, row["at"])
        raise NotFound(f"{missing} is not kept: the last 20 are, and those in snapshots")

    async def query(self, request: QueryState) -> Reply:
        """state.query: a page of values."""
        agent = await self._whose.maybe(request.agent_id)
        after = ("", "") if request.after is None else (request.after.agent_id, request.after.key)
        if agent is not None and after[0] not in ("", agent):
            after = ("", "")
        params = {
            "agent": agent,
            "key": request.key,
            "prefix": request.prefix,
            "after_agent": after[0],
            "after_key": after[1],
            "limit": request.limit + 1,
        }
        query = "state_of_all" if agent is None else "state_of_agent"
        rows, more = await self._store.reading(lambda connection: _page(connection, query, params, request.limit))
        last = rows[-1] if more and rows else None
        return {
            "state": rows,
            "timestamp": written(time.time()),
            "next": None if last is None else {"agent_id": last["agent_id"], "key": last["key"]},
        }


def _page(connection: sqlite3.Connection, query: str, params: dict[str, Any], most: int) -> tuple[list[Reply], bool]:
    """Return as many as there is room for, and whether there are more; in the reader's thread."""
    found: list[Reply] = []
    size = 0
    for row in connection.execute(QUERIES[query], params):
        size += len(row["value"])
        if found and (len(found) == most or size > LARGEST_PAGE):
            return found, True
        found.append(_value(row, row["updated_at"]))
    return found, False


def _value(row: sqlite3.Row, at: float) -> Reply:
    return {
        "agent_id": row["agent"],
        "key": row["key"],
        "value": json.loads(row["value"]),
        "version": row["version"],
        "updated_at": written(at),
    }
