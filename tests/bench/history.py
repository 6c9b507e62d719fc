"""`descartes ps -a` over a long history."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from descartes_core.agent_life import Cause, State
from descartes_core.ids import new_id
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from tests.bench.figures import Figure, interleaved, median, ms
from tests.bench.ground import Ground, running_session
from tests.support.programs import installed

AGENTS, ROUNDS = 2000, 20


def measure() -> list[Figure]:
    """Run it beside the import of click."""
    with running_session() as ground:
        _write_history(ground)
        assert len(ground.person.run("ps", "-a", "--json").json["agents"]) == AGENTS
        ours, click = interleaved(
            ROUNDS, lambda: _run(installed("descartes"), "ps", "-a"), lambda: _run(sys.executable, "-c", "import click")
        )
    return [
        Figure(
            f"`descartes ps -a`, {AGENTS} ended agents, whole process",
            ms(ours),
            f"`import click` {ms(click)}",
            "< 100 ms",
            f"+ {(median(ours) - median(click)) * 1e3:.0f} ms",
        )
    ]


def _write_history(ground: Ground) -> None:
    """Stop the daemon, write what many agents would have left, and start it again."""
    person = ground.person
    person.run("sessions", "stop", ground.workspace)
    data = person.home.session(ground.daemon.session_id)
    asyncio.run(_write(data))
    person.run("sessions", "start", ground.workspace)


async def _write(data: Path) -> None:
    async with Store.open(data / "state.db") as store:
        await asyncio.gather(*(_end_one(store, data, number) for number in range(AGENTS)))


async def _end_one(store: Store, data: Path, number: int) -> None:
    identity, now = new_id(), time.time()
    command = ("claude", "-p", f"task {number}")
    row = AgentRow(identity, f"agent-{number}", command, "/", 24, 80, 10.0, "SIGTERM", False, 0o022, now)
    await store.commit(Unit().add_agent(row))
    await store.commit(
        Unit().move(identity, State.INITIALIZING, State.RUNNING, Cause.SPAWNED, at=now).set_started(identity, now)
    )
    ended = Unit().move(identity, State.RUNNING, State.COMPLETED, Cause.ENDED_WELL, at=now)
    await store.commit(ended.set_ended(identity, now, 0, None))
    directory = data / "agents" / identity
    directory.mkdir(parents=True)
    (directory / "output.log").write_bytes(b"done\n")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
