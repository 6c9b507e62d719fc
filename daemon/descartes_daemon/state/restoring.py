"""Put keys of ended agents, and own tasks, back to how they were in a snapshot.

All of it is one commit, and a change like any: recorded key by key, told, and to be undone by another snapshot. Who has
ended never lives again, so that whoever is found to have ended may be written to; living agents are only named.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from descartes_core.agent_life import FINAL
from descartes_core.errors import OutcomeUnknown
from descartes_core.ids import new_id, short
from descartes_core.messages.state import RestoreSnapshot
from descartes_daemon.asking import Asking
from descartes_daemon.state.snapshots import Snapshots
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from descartes_local.probe import reached

#: The agents' keys, then the session's own tasks.
_STEPS = (
    *("restore_keys", "restore_absence"),
    *("restore_no_dependencies", "restore_no_tasks", "restore_tasks", "restore_dependencies"),
)

Reply = dict[str, Any]


class Restoring:
    """state.restore."""

    def __init__(self, store: Store, snapshots: Snapshots) -> None:
        self._store, self._snapshots = store, snapshots
        self._turn = asyncio.Lock()

    async def restore(self, request: RestoreSnapshot, asking: Asking) -> Reply:
        """Do it, and tell what it took."""
        async with self._turn:
            snapshot = await self._snapshots.named(request.snapshot_id)
            living = await self._store.agents(living_only=True)
            final = json.dumps(sorted(FINAL))
            ended = await self._store.select("agents_of_snapshot", snapshot=snapshot["id"], final=final)
            now, restore = time.time(), new_id()
            how = {
                "snapshot": snapshot["id"],
                "restore": restore,
                "at": now,
                "request_id": asking.id,
                "evidence": f"snapshot {short(snapshot['id'])}, {asking.evidence}",
            }
            named = [{"id": row.id, "name": row.name, "status": row.state.value} for row in living]
            unit = asking.accepted(Unit()).do("restore_begins", **how, living=json.dumps(named))
            agents = json.dumps([row["agent"] for row in ended])
            for step in _STEPS:
                unit.do(step, **how, agents=agents)
            told = {"snapshot_id": snapshot["id"], "description": snapshot["description"], "living": len(named)}
            await self._store.commit(unit.event("StateEvent", "restored", None, told, now))
            reached("restore.committed")
        return await self._came_of(restore)

    async def restored_before(self, _request: RestoreSnapshot, asking: Asking) -> Reply:
        """Answer the repeat of a restore whose answer was lost."""
        for row in await self._store.select("restore_asked_by", request_id=asking.id):
            return await self._came_of(row["part_of"])
        raise OutcomeUnknown("this restore is not recorded")

    async def _came_of(self, restore: str) -> Reply:
        ((value, _),) = await self._store.select("restored", restore=restore)
        keys = await self._store.select("restored_keys", restore=restore)
        told: Reply = json.loads(value)
        return told | {
            "agents": [row["agent"] for row in keys],
            "keys_set": sum(int(row["keys_set"]) for row in keys),
            "keys_deleted": sum(int(row["keys_deleted"]) for row in keys),
        }
