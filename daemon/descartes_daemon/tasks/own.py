"""The tasks that a session keeps itself, as a tree like SCUD's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from descartes_core.scud.mapping import points, scud_status
from descartes_core.scud.task import Graph, Phase, Task
from descartes_core.times import written_or_none
from descartes_daemon.store import Store
from descartes_daemon.tasks.view import View, view_of

#: The phase they are shown as.
TAG = "own"


async def own_view(store: Store) -> View:
    """Return them as they are stored now."""
    tasks, needs = await store.select("own_tasks"), await store.select("own_needs")
    return view_of("own", Graph((Phase(TAG, tasks=tuple(_tasks(tasks, needs))),) if tasks else ()))


def _tasks(rows: Iterable[sqlite3.Row], needs: Iterable[sqlite3.Row]) -> Iterable[Task]:
    of: dict[str, list[str]] = {}
    for need in needs:
        of.setdefault(need["task"], []).append(need["depends_on"])
    for row in rows:
        yield Task(
            id=row["id"],
            tag=TAG,
            title=row["title"],
            status=scud_status(row["status"]),
            complexity=points(row["complexity"]),
            priority=row["priority"],
            dependencies=tuple(of.get(row["id"], ())),
            description=row["description"],
            assigned_to=row["assigned_to"],
            locked_by=row["assigned_to"] if row["claimed_at"] is not None else None,
            locked_at=written_or_none(row["claimed_at"]),
        )
