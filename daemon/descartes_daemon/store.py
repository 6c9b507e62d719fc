"""The session's memory: agents, moves, events, requests in SQLite.

One writer takes whatever is queued into one transaction and answers after the commit: acknowledged means on disk.
Reads go by a connection of their own, so that they do not wait behind a commit's sync.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from descartes_core.agent_life import FINAL
from descartes_core.errors import DescartesError, Unavailable
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.database import Database
from descartes_daemon.schema import open_reader, open_writer
from descartes_daemon.sql import QUERIES
from descartes_daemon.stored import Remain, StoredOutput, StoredRequest, Transition
from descartes_daemon.unit import Unit, wire_event
from descartes_daemon.writing import write

#: How many units may wait for the writer: at SQLite's own pace some tenths of a second.
LONGEST_QUEUE = 10_000
#: What was seen to work is believed to work for so long (seconds): a look inside crosses to a thread and back.
FRESH = 1.0

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
#: A unit, and who waits for it.
_Waiting = tuple[Unit, "asyncio.Future[list[dict[str, Any]]] | None"]


class Store:
    """What survives the daemon; `Store.open` gives one."""

    def __init__(self, path: Path, writer: Database, reader: Database, last_seq: int) -> None:
        self.path = path
        #: Called in the loop with the events of a commit, before `commit` returns.
        self.on_commit: Callable[[list[dict[str, Any]]], None] = lambda _events: None
        self._writer, self._reader, self._last_seq = writer, reader, last_seq
        self._file = str(path)
        self._identity = _identity(self._file)
        self._queue: list[_Waiting] = []
        self._group: list[_Waiting] = []
        self._wake, self._room = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._trouble: str | None = None
        #: When it was last seen to work (monotonic).
        self._seen_well = float("-inf")
        #: Transactions written.
        self.commits = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Store]:
        """Open the store; leaving the block writes what is queued and closes it.

        It is opened here and now, as nothing else can be done without it: each turn in another thread would cost more.

        Raises:
            SchemaTooNew: a newer Descartes wrote the file; it is as it was.
            Unavailable: it cannot be used, or is not ours.

        """
        async with Database.open(open_writer(path)) as writer, Database.open(open_reader(path)) as reader:
            ((last_seq,),) = await reader.apply(partial(_rows, query="last_seq"))
            store = cls(path, writer, reader, last_seq)
            writing = asyncio.create_task(store._write(), name="store writer")
            try:
                yield store
            finally:
                store._closing = True
                store._wake.set()
                await writing
                with contextlib.suppress(sqlite3.Error):  # tidying up: the next one can do without
                    await writer.apply(_tidy)

    async def commit(self, unit: Unit) -> list[dict[str, Any]]:
        """Return the unit's events once it is on disk; waits its turn when too much is queued.

        A caller that is cancelled meanwhile does not undo it.

        Raises:
            IllegalTransition: an agent is no more in the state it was to leave; nothing of the unit is written.
            AgentNotFound, AlreadyExists, Conflict: likewise.
            Unavailable: it cannot be written (disk full, closed).

        """
        while len(self._queue) >= LONGEST_QUEUE and not self._closing:
            self._room.clear()
            await self._room.wait()
        if self._closing:
            raise Unavailable(f"{self.path} is closed")
        answer: asyncio.Future[list[dict[str, Any]]] = asyncio.get_running_loop().create_future()
        self._queue.append((unit, answer))
        self._wake.set()
        return await answer

    def enqueue(self, unit: Unit) -> None:
        """Commit it some time soon; nobody waits for it, a failure is only logged."""
        if self._closing or len(self._queue) >= LONGEST_QUEUE:
            _log.error("not stored: %s", "the store is closed" if self._closing else "too much is queued")
            return
        self._queue.append((unit, None))
        self._wake.set()

    async def _write(self) -> None:
        try:
            while not self._closing or self._queue:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    self._group, self._queue = self._queue, []
                    self._room.set()
                    await self._write_group()
        finally:
            # Only a fault of ours leaves anything here: nobody waits for ever because of it.
            self._closing = True
            self._room.set()
            for _, answer in self._group + self._queue:
                _answer(answer, Unavailable(f"{self.path} is closed"))

    async def _write_group(self) -> None:
        units = [unit for unit, _ in self._group]
        try:
            outcomes = await self._writer.apply(partial(write, units=units))
        except sqlite3.Error as error:
            outcomes = [Unavailable(f"cannot write {self.path}: {error}") for _ in units]
            self._note_trouble(str(outcomes[0]))
        else:
            self._note_trouble(None)
            self._seen_well = time.monotonic()
            self.commits += 1
        told = [event for outcome in outcomes if not isinstance(outcome, DescartesError) for event in outcome]
        if told:
            self._last_seq = told[-1]["seq"]
            self.on_commit(told)
        for (_, answer), outcome in zip(self._group, outcomes, strict=True):
            _answer(answer, outcome)
        self._group = []

    def _note_trouble(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self._trouble:
            _log.error("%s", trouble)
        self._trouble = trouble

    async def select(self, query: str, **params: Any) -> list[sqlite3.Row]:
        """Return the rows of one named query."""
        return await self.reading(partial(_rows, query=query, params=params))

    async def reading(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run a piece of work that only reads in the reader's thread; others wait for it meanwhile."""
        try:
            return await self._reader.apply(work)
        except sqlite3.Error as error:
            raise Unavailable(f"cannot read {self.path}: {error}") from error

    async def agents(self, living_only: bool = False) -> list[AgentRow]:
        """Return the agents, oldest first."""
        which, params = ("living_agents", {"final": json.dumps(sorted(FINAL))}) if living_only else ("agents", {})
        return [AgentRow.from_row(row) for row in await self.select(which, **params)]

    async def history(self, show: Callable[[sqlite3.Row], _T]) -> list[_T]:
        """Return every agent as it is to be shown, oldest first; that is made in the reader's thread."""
        return await self.reading(lambda connection: [show(row) for row in _rows(connection, "history")])

    async def agent(self, agent_id: str) -> AgentRow | None:
        """Return one agent."""
        rows = await self.select("agent", id=agent_id)
        return AgentRow.from_row(rows[0]) if rows else None

    async def transitions(self, agent_id: str) -> list[Transition]:
        """Return how an agent came to where it is, oldest first."""
        return [Transition(*row) for row in await self.select("transitions", agent=agent_id)]

    async def reply_of(self, request_id: str) -> StoredRequest | None:
        """Return what is known of a request that was accepted before."""
        for method, reply in await self.select("reply_of", id=request_id):
            return StoredRequest(method, None if reply is None else json.loads(reply))
        return None

    async def events_after(self, since: int, limit: int) -> list[dict[str, Any]]:
        """Return events in order, in the form of methods.Event."""
        rows = await self.select("events_after", since=since, limit=limit)
        return [
            wire_event(seq, identity, at, kind, event_type, agent_id, json.loads(data))
            for seq, identity, at, kind, event_type, agent_id, data in rows
        ]

    def last_seq(self) -> int:
        """Return the seq of the newest event that is committed."""
        return self._last_seq

    async def outputs(self) -> list[StoredOutput]:
        """Return what is known of everything agents said, oldest first."""
        return [StoredOutput.from_row(row) for row in await self.select("outputs")]

    async def events_before(self, at: float) -> tuple[int, int]:
        """Return the last event before the first one at or after this time, but never the newest; and how many."""
        ((first,),) = await self.select("first_event_since", at=at)
        ((count,),) = await self.select("count_events_to", to=first - 1)
        return first - 1, count

    async def events_given_up(self) -> int:
        """Return how many events may go and are still there."""
        ((count,),) = await self.select("count_events_given_up")
        return int(count)

    async def remains(self) -> list[Remain]:
        """Return what is still to be ended."""
        return [Remain(*row) for row in await self.select("remains")]

    async def inputs(self, agent_id: str, limit: int = 10_000) -> list[tuple[float, str, int]]:
        """Return when, by whom and how much was typed into an agent: the newest so many, oldest first."""
        return [tuple(row) for row in await self.select("inputs", agent=agent_id, limit=limit)]

    async def inputs_in_all(self, agent_id: str) -> tuple[int, int]:
        """Return how often something was typed into an agent, and how many bytes."""
        return tuple((await self.select("inputs_in_all", agent=agent_id))[0])

    async def noted(self, key: str) -> str | None:
        """Return a word kept about the session."""
        rows = await self.select("noted", key=key)
        return str(rows[0]["value"]) if rows else None

    async def totals(self) -> dict[str, int]:
        """Return how many agents there ever were, and how many bytes were typed into them."""
        (row,) = await self.select("totals")
        return dict(row)

    async def usage_of_ended(self) -> dict[str, Any]:
        """Return what all agents together took that have ended."""
        (row,) = await self.select("usage_of_ended")
        return dict(row)

    def health(self) -> str | None:
        """Return `healthy`, or what is wrong; None where only a look inside tells."""
        fresh = time.monotonic() - self._seen_well < FRESH
        return self._wrong() or ("healthy" if fresh else None)

    async def healthy(self) -> str:
        """Return `healthy`, or what is wrong, from a look inside."""
        if (wrong := self._wrong()) is not None:
            return wrong
        try:
            await self.select("noted", key="")
        except Unavailable as error:
            return error.message
        self._seen_well = time.monotonic()
        return "healthy"

    def _wrong(self) -> str | None:
        if self._closing:
            return f"{self.path} is closed"
        if self._trouble is not None:
            return self._trouble
        return None if _identity(self._file) == self._identity else f"{self.path} was removed or replaced"


def _rows(connection: sqlite3.Connection, query: str, params: dict[str, Any] | None = None) -> list[sqlite3.Row]:
    return connection.execute(QUERIES[query], params or {}).fetchall()


def _tidy(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA optimize")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _answer(
    waiting: asyncio.Future[list[dict[str, Any]]] | None, outcome: list[dict[str, Any]] | DescartesError
) -> None:
    if waiting is None:
        if isinstance(outcome, DescartesError):
            _log.error("not stored: %s", outcome)
    elif waiting.done():
        return  # cancelled meanwhile
    elif isinstance(outcome, DescartesError):
        waiting.set_exception(outcome)
    else:
        waiting.set_result(outcome)
