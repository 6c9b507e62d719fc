"""Take in what a database of the original has: all of it in one commit, once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Any

from descartes_core.errors import AlreadyExists, DescartesError
from descartes_core.messages.transfer import ImportOriginal
from descartes_core.times import written
from descartes_daemon.asking import Asking
from descartes_daemon.store import Store
from descartes_daemon.transfer.original import MARK, read_original
from descartes_daemon.transfer.original_rows import events_into, states_into, tasks_into
from descartes_daemon.unit import Unit
from descartes_local.probe import reached

Reply = dict[str, Any]


async def take_original(store: Store, request: ImportOriginal, asking: Asking) -> Reply:
    """Read it, and store what it means here.

    Raises:
        AlreadyExists: it was taken in before, or a task has an id that one here has.
        ArchiveInvalid, NotFound, Refused: it is nothing to be taken in.

    """
    path = Path(request.path)
    made, reply, mark = await asyncio.to_thread(_made_of, path, asking.id)
    if (before := await store.noted(mark)) is not None:
        raise AlreadyExists(f"{path} was taken in before, at {before}")
    now = time.time()
    unit = asking.accepted(Unit()).also(made)
    unit.event("SystemEvent", "original_imported", None, reply, now)
    unit.note(mark, written(now))
    try:
        await store.commit(asking.answered(unit, reply))
    except DescartesError as error:
        asking.is_accepted = False
        if "UNIQUE constraint failed: tasks.id" in error.message:
            raise AlreadyExists(f"a task of {path} has the id of a task that is here already") from error
        raise
    asking.answer = reply
    reached("original.taken")
    return reply


def _made_of(path: Path, request_id: str | None) -> tuple[Unit, Reply, str]:
    """Return what is to be stored of it, what that is in numbers, and its mark; in a thread, as that may take long."""
    original, unit = read_original(path), Unit()
    counts = {"tasks": tasks_into(unit, original), "events": events_into(unit, original)}
    counts["changes"], counts["agents"] = states_into(unit, original, f"from {path.name}", request_id)
    reply = {"path": str(path), "kind": original.schema, **counts, "left": original.left}
    with open(path, "rb") as file:
        return unit, reply, f"{MARK}{hashlib.file_digest(file, 'sha256').hexdigest()}"
