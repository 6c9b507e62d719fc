"""Moves of agents, each acknowledged once it is on disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
import time
from pathlib import Path

from descartes_core.agent_life import Cause, State
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from tests.bench.figures import Figure

AGENTS, MOVES = 200, 100


def measure() -> list[Figure]:
    """Move many agents at once beside plain SQLite, one synced transaction a hundred rows."""
    with tempfile.TemporaryDirectory(prefix="d", dir=os.environ.get("TMPDIR")) as directory:
        ours = asyncio.run(_moves_a_second(Path(directory) / "state.db"))
        floor = _rows_a_second(Path(directory) / "plain.db")
    return [
        Figure(
            f"moves stored and acknowledged, {AGENTS} agents at once",
            f"{ours:,.0f}/s",
            f"plain SQLite, 100 rows a synced transaction: {floor:,.0f}/s",
            "≥ 10,000/s",
            f"{ours / floor:.2f} ×",
        )
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
