"""What agents keep under keys, snapshots of it, and history: beside plain SQLite."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from descartes_core.agent_life import Cause, State
from descartes_core.messages.history import ReadTransitions
from descartes_core.messages.state import RestoreSnapshot, SetState, TakeSnapshot
from descartes_daemon.agents import Agents, Place
from descartes_daemon.asking import Asking
from descartes_daemon.background import Background
from descartes_daemon.keeping import Keeping
from descartes_daemon.notify import Notifier
from descartes_daemon.state.changing import Changing
from descartes_daemon.state.history import History
from descartes_daemon.state.restoring import Restoring
from descartes_daemon.state.snapshots import Snapshots
from descartes_daemon.state.whose import Whose
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from tests.bench.figures import Figure, median, ms
from tests.support.rows import NOW, added, started

AGENTS, KEYS, MOVES = 100, 100, 100_000
_VALUE = "x" * 1000
_TIMES = 5


def measure() -> list[Figure]:
    """Set many keys at once, take and restore snapshots of them, and read a page of a long history."""
    with tempfile.TemporaryDirectory(prefix="d", dir=os.environ.get("TMPDIR")) as directory:
        return asyncio.run(_measure(Path(directory)))


async def _measure(directory: Path) -> list[Figure]:
    async with Store.open(directory / "state.db") as store:
        place = Place("s", str(directory), directory, str(directory / "socket"))
        whose = Whose(Agents(place, store, Keeping(Notifier(None), None, {}), Background()))
        await asyncio.gather(*(store.commit(_an_ended(_name(number))) for number in range(AGENTS)))
        changing, snapshots = Changing(store, whose), Snapshots(store)
        sets = await _sets(changing)
        with closing(_plain(directory / "plain.db")) as plain:
            rows = _rows_a_second(plain)
            takes, restores = await _snapshots(changing, snapshots, Restoring(store, snapshots))
            copies = [_timed(lambda number=number: _copy(plain, number)) for number in range(_TIMES)]  # type: ignore[misc]
        pages, scans = await _history(store, History(store, whose), directory / "state.db")
    what = f"{AGENTS * KEYS:,} keys of 1 kB"
    return [
        Figure(
            f"keys set and acknowledged, {AGENTS} agents at once",
            f"{sets:,.0f}/s",
            f"plain SQLite, 100 rows a synced transaction: {rows:,.0f}/s",
            "-",
            f"{sets / rows:.2f} ×",
        ),
        Figure(
            f"a snapshot of {what}",
            ms(takes),
            f"the rows copied within plain SQLite: {ms(copies)}",
            "-",
            f"{median(takes) / median(copies):.2f} ×",
        ),
        Figure(f"a restore of {what}, half of them changed", ms(restores), f"likewise: {ms(copies)}", "-",
               f"{median(restores) / median(copies):.2f} ×"),
        Figure(
            f"the newest 100 of {MOVES:,} moves, by cause",
            ms(pages),
            f"the same rows in plain sqlite3: {ms(scans)}",
            "-",
            f"{median(pages) / median(scans):.2f} ×",
        ),
    ]  # fmt: skip


def _name(number: int) -> str:
    return f"{number:08}-0000-4000-8000-000000000000"


def _an_ended(name: str) -> Unit:
    unit = added(name).also(started(name))
    return unit.move(name, State.RUNNING, State.COMPLETED, Cause.ENDED_WELL, at=NOW)


async def _sets(changing: Changing) -> float:
    begin = time.perf_counter()
    await asyncio.gather(*(_fill(changing, _name(number), _VALUE, KEYS) for number in range(AGENTS)))
    return AGENTS * KEYS / (time.perf_counter() - begin)


async def _fill(changing: Changing, name: str, value: str, count: int) -> None:
    for number in range(count):
        request = SetState(agent_id=name, key=f"key {number}", value=value)
        await changing.set(request, Asking("state.set", "bench"))


async def _snapshots(changing: Changing, snapshots: Snapshots, restoring: Restoring) -> tuple[list[float], list[float]]:
    takes, restores = [], []
    for number in range(_TIMES):
        begin = time.perf_counter()
        taken = await snapshots.take(TakeSnapshot(), Asking("state.snapshot", "bench"))
        takes.append(time.perf_counter() - begin)
        half = (_fill(changing, _name(each), f"{_VALUE}{number}", KEYS // 2) for each in range(AGENTS))
        await asyncio.gather(*half)
        begin = time.perf_counter()
        back = RestoreSnapshot(snapshot_id=taken["snapshot"]["id"])
        done = await restoring.restore(back, Asking("state.restore", "bench"))
        restores.append(time.perf_counter() - begin)
        assert done["keys_set"] == AGENTS * KEYS // 2
    return takes, restores


async def _history(store: Store, history: History, path: Path) -> tuple[list[float], list[float]]:
    await store.commit(added("mover").also(started("mover")))
    for _ in range(MOVES // 1000):
        unit = Unit()
        for number in range(1000):
            was, became, cause = (
                (State.PAUSED, State.RUNNING, Cause.RESUME_ASKED)
                if number % 2
                else (State.RUNNING, State.PAUSED, Cause.PAUSE_ASKED)
            )
            unit.move("mover", was, became, cause, at=NOW)
        await store.commit(unit)
    pages = []
    for _ in range(_TIMES * 4):
        begin = time.perf_counter()
        await history.transitions(ReadTransitions(cause="pause_asked", limit=100, newest=True))
        pages.append(time.perf_counter() - begin)
    query = "SELECT * FROM transitions WHERE cause = 'pause_asked' ORDER BY id DESC LIMIT 100"
    with closing(sqlite3.connect(path)) as plain:
        return pages, [_timed(lambda: plain.execute(query).fetchall()) for _ in pages]


def _plain(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    for table in ("now", "snapshots"):
        connection.execute(f"CREATE TABLE {table} (copy INTEGER, agent TEXT, key TEXT, value TEXT)")
    return connection


def _rows_a_second(connection: sqlite3.Connection) -> float:
    begin, value = time.perf_counter(), json.dumps(_VALUE)
    for number in range(AGENTS):
        connection.execute("BEGIN IMMEDIATE")
        rows = ((0, _name(number), f"key {each}", value) for each in range(KEYS))
        connection.executemany("INSERT INTO now VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    return AGENTS * KEYS / (time.perf_counter() - begin)


def _copy(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("INSERT INTO snapshots SELECT ?, agent, key, value FROM now", (number,))


def _timed(action: Any) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin
