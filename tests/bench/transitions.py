"""Moves of agents, each acknowledged once it is on disk, also where their daemon is killed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from descartes_core.agent_life import Cause, State
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from tests.bench.figures import Figure
from tests.support import mover

AGENTS, MOVES = 200, 100
#: So many are acknowledged, then comes the kill.
_BEFORE_KILL = 20_000


def measure() -> list[Figure]:
    """Move many agents at once beside plain SQLite, one synced transaction a hundred rows."""
    with tempfile.TemporaryDirectory(prefix="d", dir=os.environ.get("TMPDIR")) as directory:
        ours = asyncio.run(_moves_a_second(Path(directory) / "state.db"))
        floor = _rows_a_second(Path(directory) / "plain.db")
        acknowledged, stored = _killed(Path(directory) / "killed.db")
    return [
        Figure(
            f"moves stored and acknowledged, {AGENTS} agents at once",
            f"{ours:,.0f}/s",
            f"plain SQLite, 100 rows a synced transaction: {floor:,.0f}/s",
            "≥ 10,000/s",
            f"{ours / floor:.2f} ×",
        ),
        Figure(
            "moves acknowledged before a `kill -9` in the middle of them, and lost",
            f"{acknowledged:,}, {max(0, acknowledged - stored)}",
            f"found in the store afterwards: {stored:,}",
            "none lost",
            "none lost" if stored >= acknowledged else f"{acknowledged - stored} lost",
        ),
    ]


async def _moves_a_second(path: Path) -> float:
    async with Store.open(path) as store:
        names = [f"{number:08}-0000-4000-8000-000000000000" for number in range(AGENTS)]
        await asyncio.gather(*(_begin(store, name) for name in names))
        begin = time.perf_counter()
        await asyncio.gather(*(_move(store, name) for name in names))
        return AGENTS * MOVES / (time.perf_counter() - begin)


async def _begin(store: Store, name: str) -> None:
    row = AgentRow(name, name, ("true",), "/", 24, 80, 10.0, "SIGTERM", False, 0o022, 0.0)
    await store.commit(
        Unit().add_agent(row).move(name, State.INITIALIZING, State.RUNNING, Cause.SPAWNED, at=time.time())
    )


async def _move(store: Store, name: str) -> None:
    for number in range(MOVES):
        was, became, cause = (
            (State.PAUSED, State.RUNNING, Cause.RESUME_ASKED)
            if number % 2
            else (State.RUNNING, State.PAUSED, Cause.PAUSE_ASKED)
        )
        await store.commit(Unit().move(name, was, became, cause, at=time.time()))


def _killed(path: Path) -> tuple[int, int]:
    """Return how many moves were acknowledged before a kill, and how many of those, or more, are found."""
    told: Counter[str] = Counter()
    with subprocess.Popen(
        [sys.executable, "-m", mover.__name__, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for number, line in enumerate(child.stdout):
            if number == _BEFORE_KILL:
                child.kill()
            name, _, count = line.partition(" ")
            if line.endswith("\n"):  # the kill may have cut the last one
                told[name] = int(count)
    with closing(sqlite3.connect(path)) as store:
        # Its first move is that to running.
        found = Counter(dict(store.execute("SELECT agent, count(*) - 1 FROM transitions GROUP BY agent")))
    lost = told - found
    return told.total(), told.total() - lost.total()


def _rows_a_second(path: Path) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE moves (id INTEGER PRIMARY KEY, agent TEXT, was TEXT, became TEXT, at REAL)")
    begin, transactions = time.perf_counter(), AGENTS * MOVES // 100
    for _ in range(transactions):
        connection.execute("BEGIN IMMEDIATE")
        for number in range(100):
            connection.execute(
                "INSERT INTO moves (agent, was, became, at) VALUES (?, 'running', 'paused', ?)", (str(number), 0.0)
            )
        connection.execute("COMMIT")
    taken = time.perf_counter() - begin
    connection.close()
    return transactions * 100 / taken
