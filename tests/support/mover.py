"""Move agents for ever, and say which moves were acknowledged; a test kills it."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from pathlib import Path

from descartes_core.agent_life import Cause, State
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from tests.support.rows import added, started

AGENTS = 200


async def main() -> None:
    """Run on the store named by the first argument; print a line with each agent's count once it is stored."""
    async with Store.open(Path(sys.argv[1])) as store, asyncio.TaskGroup() as group:
        for number in range(AGENTS):
            group.create_task(move(store, str(number)))


async def move(store: Store, name: str) -> None:
    """Move one agent to and fro."""
    await store.commit(added(name).also(started(name)))
    for count in itertools.count(1):
        was, became, cause = (
            (State.RUNNING, State.PAUSED, Cause.PAUSE_ASKED)
            if count % 2
            else (State.PAUSED, State.RUNNING, Cause.RESUME_ASKED)
        )
        await store.commit(Unit().move(name, was, became, cause, at=time.time()))
        os.write(1, f"{name} {count}\n".encode())


if __name__ == "__main__":
    asyncio.run(main())
