"""How agents, and what they keep under keys, came to where they are."""

from __future__ import annotations

import math
import sqlite3
from typing import Any

from descartes_core.agent_life import Cause
from descartes_core.errors import InvalidParams
from descartes_core.messages.history import ReadTransitions
from descartes_core.times import read, written
from descartes_daemon.state.whose import Whose
from descartes_daemon.store import Store

#: What agents move by, and keys change by (the same list as in the schema).
_OF_AGENTS, _OF_KEYS = frozenset(map(str, Cause)), frozenset({"set", "deleted", "restored", "imported"})

Reply = dict[str, Any]


class History:
    """state.transitions."""

    def __init__(self, store: Store, whose: Whose) -> None:
        self._store, self._whose = store, whose

    async def transitions(self, request: ReadTransitions) -> Reply:
        """Return a page of them, oldest first."""
        is_of_keys = request.of == "keys"
        if request.key is not None and not is_of_keys:
            raise InvalidParams('key: only with "of": "keys"')
        _refuse_unknown(request.cause, _OF_KEYS if is_of_keys else _OF_AGENTS)
        agent = await self._whose.maybe(request.agent_id)
        params = {
            "after": request.after,
            "since": _moment("since", request.since, -math.inf),
            "until": _moment("until", request.until, math.inf),
            "cause": request.cause,
            "limit": request.limit + 1,
        }
        params |= {"agent": agent} if agent is not None else {}
        params |= {"key": request.key} if is_of_keys else {}
        which = "changes" if is_of_keys else "moves"
        which = f"{'last_' * request.newest}{which}{'_of' * (agent is not None)}"
        rows = await self._store.select(which, **params)
        told = [(_change if is_of_keys else _move)(row) for row in rows[: request.limit]]
        if request.newest:
            return {"transitions": told[::-1], "next": None}
        return {"transitions": told, "next": told[-1]["seq"] if len(rows) > request.limit else None}


def _refuse_unknown(cause: str | None, known: frozenset[str]) -> None:
    if cause is not None and cause not in known:
        raise InvalidParams(f"cause: {cause!r} is none of {', '.join(sorted(known))}")


def _moment(name: str, text: str | None, otherwise: float) -> float:
    if text is None:
        return otherwise
    try:
        return read(text)
    except ValueError as error:
        raise InvalidParams(f"{name}: {text!r} is no RFC 3339 time") from error


def _move(row: sqlite3.Row) -> Reply:
    return {
        "seq": row["id"],
        "at": written(row["at"]),
        "agent_id": row["agent"],
        "was": row["was"],
        "became": row["became"],
        "cause": row["cause"],
        "evidence": row["evidence"],
        "request_id": row["request_id"],
    }


def _change(row: sqlite3.Row) -> Reply:
    version, is_first = row["version"], row["version"] == 1
    before = "absent" if is_first or row["was_there"] == 0 else f"version {version and version - 1}"
    became = f"version {version}" if row["there"] else "absent"
    if version is None:  # of the whole session
        before, became = "", ""
    return {
        "seq": row["id"],
        "at": written(row["at"]),
        "agent_id": row["agent"],
        "was": before,
        "became": became,
        "cause": row["cause"],
        "evidence": row["evidence"],
        "request_id": row["request_id"],
        "key": row["key"],
        "version": version,
    }
