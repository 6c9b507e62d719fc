"""Answer what is searched for, and have the index brought up to date."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from descartes_core.errors import InvalidParams, Refused, Unavailable
from descartes_core.messages.common import Nothing
from descartes_core.messages.search import Query, RebuildSearch
from descartes_core.times import read, written_or_none
from descartes_daemon.asking import Asking
from descartes_daemon.ground import Ground
from descartes_daemon.search.asked import read_query
from descartes_daemon.search.index_opening import remove
from descartes_daemon.search.indexer import DONE, hiding_of
from descartes_daemon.search.looking import Looking, finding_of
from descartes_daemon.search.process import MIDWAY, IndexerProcess
from descartes_daemon.search.searching import Wanted

_log = logging.getLogger(__name__)
Reply = dict[str, Any]


def open_room(ground: Ground) -> SearchRoom:
    """Open it."""
    return SearchRoom(ground)


class SearchRoom:
    """Search in one session."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        setup = ground.setup
        self._directory = setup.home.session(setup.record.id)
        self._settings = setup.settings.search
        self._order: dict[str, Any] = {
            "directory": str(self._directory),
            "workspace": str(setup.workspace),
            "home": str(setup.home.path),
            "name": setup.record.name,
            "max_bytes": self._settings.max_bytes,
            "redaction": setup.settings.redaction.model_dump(mode="json"),
            "semantic": setup.settings.semantic.model_dump(mode="json"),
            "is_semantic": False,
        }
        self._looking = Looking(self._directory, setup.workspace, hiding_of(self._order), setup.record.id)
        #: One look at a time: others do not wait in threads, which all of the daemon shares.
        self._turn = asyncio.Lock()
        self._processes: list[IndexerProcess] = []
        self._trouble: str | None = None
        #: Whether somebody has searched since the daemon began: then the index is kept up to date more closely.
        self.is_used = False

    async def query(self, request: Query) -> Reply:
        """search.query: the best of the newest passages that fit."""
        self._check()
        self.is_used = True
        agent_id = None
        if request.agent_id is not None:
            agent_id = (await self._ground.agents.find(request.agent_id)).id
        wanted = Wanted(
            read_query(request.query), request.limit, tuple(request.kinds), agent_id, request.task_id, _moment(request)
        )
        ends = time.monotonic() + request.wait
        if request.semantic:
            await self._in_turn(self._compare)
        await self._caught_up(self._looking.behind, ends)
        if request.semantic:
            await self._caught_up(self._looking.missing, ends)
        found, behind, missing = await self._looked(wanted, request.query if request.semantic else None)
        complete = found.is_complete and not behind and not missing
        return {"results": found.results, "complete": complete, "behind": behind, "missing": missing}

    def _compare(self) -> None:
        """Be able to compare; in a thread."""
        if self._looking.finding is not None:
            return
        self._looking.finding = finding_of(self._directory, self._order["semantic"])
        self._order["is_semantic"] = True

    async def status(self, _request: Nothing) -> Reply:
        """search.status."""
        told = await self._in_turn(self._looking.status)
        told["oldest"] = written_or_none(told["oldest"])
        enabled, running = self._settings.enabled, bool(self._processes)
        return {"enabled": enabled, "running": running, "trouble": self._trouble, **told}

    async def rebuild(self, _request: RebuildSearch, _asking: Asking) -> Reply:
        """search.rebuild: remove it, and begin anew; a repeat does so again, which is the same."""
        self._check()
        await self.close()
        try:
            await asyncio.to_thread(remove, self._directory)
        except OSError as error:
            raise Unavailable(f"the index cannot be removed: {error}") from error
        self.bring_up_to_date()
        return await self.status(Nothing())

    def bring_up_to_date(self, *, is_urgent: bool = False) -> IndexerProcess | None:
        """Begin to, unless that is under way; None where no process can be started."""
        if self._processes and self._processes[-1].is_urgent >= is_urgent:
            return self._processes[-1]
        for process in self._processes:
            process.kill()  # it has only what of the processor nobody else wants, and may take long to end
        try:
            process = IndexerProcess({**self._order, "is_urgent": is_urgent}, self._ended)
        except OSError as error:
            self._trouble = f"no process can be started: {error.strerror}"
            return None
        self._processes.append(process)
        return process

    def _ended(self, word: str) -> None:
        self._processes = [one for one in self._processes if not one.ended.is_set()]
        self._trouble = None if word in (DONE, "") else word
        if self._trouble:
            _log.warning("search: %s", self._trouble)

    def _check(self) -> None:
        if not self._settings.enabled:
            raise Refused("search.enabled is false: there is no index of this session")

    async def _caught_up(self, what_is_left: Callable[[], int], ends: float) -> None:
        """Wait until nothing is left, or until that time."""
        # Who was under way may have passed by what came last: then one more.
        for _ in range(2):
            if not await self._in_turn(what_is_left):
                return
            process = self.bring_up_to_date(is_urgent=True)
            left = ends - time.monotonic()
            if process is None or left <= 0:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await process.ended.wait()
            if self._trouble not in (None, MIDWAY):
                return

    async def _looked(self, wanted: Wanted, alike: str | None) -> Any:
        try:
            return await self._in_turn(partial(self._looking.look, wanted, alike))
        except sqlite3.DatabaseError as error:
            # Torn: what it tells of is there, so it is made anew.
            _log.warning("search: the index cannot be read, and is made anew: %s", error)
            await self.rebuild(RebuildSearch(), Asking("search.rebuild", ""))
            await self._caught_up(self._looking.behind, time.monotonic() + 1.0)
        try:
            return await self._in_turn(partial(self._looking.look, wanted, alike))
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"the index cannot be read: {error}") from error

    async def _in_turn(self, look: Callable[[], Any]) -> Any:
        async with self._turn:
            return await asyncio.to_thread(look)

    async def close(self) -> None:
        """End the processes, and let go of the files."""
        for process in list(self._processes):
            await process.end()
        await asyncio.to_thread(self._looking.close)


def _moment(request: Query) -> float | None:
    if request.since is None:
        return None
    try:
        return read(request.since)
    except (ValueError, OverflowError) as error:
        raise InvalidParams(f"since: {request.since!r} is no RFC 3339 time") from error
