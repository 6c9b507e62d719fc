"""A session's state as it was: taken in one commit, listed, forgotten."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from descartes_core.errors import Ambiguous, NotFound, OutcomeUnknown
from descartes_core.ids import new_id
from descartes_core.messages.state import ForgetSnapshot, ListSnapshots, TakeSnapshot
from descartes_core.times import written, written_or_none
from descartes_daemon.asking import Asking
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from descartes_local.probe import reached

#: What is taken, each by one statement.
_PARTS = ("take_keys", "take_agents", "take_tasks", "take_dependencies")

Reply = dict[str, Any]


class Snapshots:
    """The methods about snapshots, but for the way back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self, request: TakeSnapshot, asking: Asking) -> Reply:
        """state.snapshot: whole or not at all; those whose time is over go with it."""
        now, identity = time.time(), new_id()
        row = {
            "snapshot": identity,
            "description": request.description,
            "at": now,
            "expires_at": None if request.expires_in is None else now + request.expires_in,
            "evidence": asking.evidence,
            "request_id": asking.id,
        }
        unit = asking.accepted(Unit()).do("expire_snapshots", now=now).do("take_snapshot", **row)
        for part in _PARTS:
            unit.do(part, snapshot=identity)
        await self._store.commit(unit)
        reached("snapshot.committed")
        return {"snapshot": shown(await self.named(identity))}

    async def taken_before(self, _request: TakeSnapshot, asking: Asking) -> Reply:
        """Answer the repeat of a snapshot whose answer was lost."""
        for row in await self._store.select("snapshot_asked_by", request_id=asking.id):
            return {"snapshot": shown(row)}
        raise OutcomeUnknown("this snapshot was taken, and is forgotten by now")

    async def list(self, request: ListSnapshots) -> Reply:
        """state.snapshots: all of them; or one, and how its agents were."""
        if request.snapshot_id is None:
            rows = await self._store.select("snapshots", now=time.time())
            return {"snapshots": [shown(row) for row in rows], "agents": None}
        row = await self.named(request.snapshot_id)
        agents = await self._store.select("snapshot_agents", snapshot=row["id"])
        return {"snapshots": [shown(row)], "agents": [dict(agent) for agent in agents]}

    async def forget(self, request: ForgetSnapshot, asking: Asking) -> Reply:
        """state.forget: remove one; what only it has kept goes with it."""
        row = await self.named(request.snapshot_id)
        reply: Reply = {"snapshot": shown(row)}
        unit = asking.accepted(Unit()).do("forget_snapshot", snapshot=row["id"])
        await self._store.commit(asking.answered(unit, reply))
        asking.answer = reply
        return reply

    async def named(self, text: str) -> sqlite3.Row:
        """Return the one that is meant by an id or its beginning.

        Raises:
            NotFound: there is none, or its time is over.
            Ambiguous: there are several.

        """
        rows = await self._store.select("snapshots_named", name=text, now=time.time())
        if not rows:
            raise NotFound(f"there is no snapshot {text!r}; descartes state snapshots lists all")
        if len(rows) > 1:
            raise Ambiguous(f"{text!r} fits {', '.join(row['id'] for row in rows)}; use more of the id")
        return rows[0]


def shown(row: sqlite3.Row) -> Reply:
    """Return a snapshot as every door tells it."""
    return {
        "id": row["id"],
        "description": row["description"],
        "at": written(row["at"]),
        "expires_at": written_or_none(row["expires_at"]),
        "evidence": row["evidence"],
        "keys": row["keys"],
        "tasks": row["tasks"],
        "agents": row["agents"],
    }
