"""Commit events for ever, and say which were acknowledged; a test kills it."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from descartes_daemon.store import Store
from descartes_daemon.unit import Unit


async def main() -> None:
    """Run several writers on the store named by the first argument."""
    async with Store.open(Path(sys.argv[1])) as store, asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(write(store, number))


async def write(store: Store, number: int) -> None:
    """Commit, then say so."""
    for step in itertools.count():
        unit = Unit().event("SystemEvent", "step", None, {"step": step, "fill": "x" * 300}, 0.0)
        (event,) = await store.commit(unit.note(f"writer {number}", str(step)))
        os.write(1, f"{event['seq']} {event['id']}\n".encode())


if __name__ == "__main__":
    asyncio.run(main())
