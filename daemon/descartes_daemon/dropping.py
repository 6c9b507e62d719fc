"""Keep outputs within their caps: the oldest goes first, and that is told.

In steps, so that it is rare. Each: the new beginning is committed with its event → the log begins there for every
reader → the room is given back. A daemon that is killed in between leaves a front that nobody reads, and the next one
gives it back. Nothing is looked at but when a log grows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from descartes_core.errors import Unavailable
from descartes_daemon import hole
from descartes_daemon.agents import Agents
from descartes_daemon.output_log import OutputLog
from descartes_daemon.outputs import FILES
from descartes_daemon.stored import StoredOutput
from descartes_daemon.unit import Unit
from descartes_local.cold_log import find_cold
from descartes_local.probe import reached

_log = logging.getLogger(__name__)

#: The least that is dropped at once, where the cap is not smaller: each costs a commit.
_STEP = 1024 * 1024
#: How often a store that cannot be written is tried again (seconds).
_STORE_AGAIN = 1.0
#: A new beginning is put at that of a line, where there is one so near.
_LINE = 65_536

AGENT_CAP, SESSION_CAP = "output.agent_cap", "output.session_cap"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One stream that something may be dropped of."""

    output: StoredOutput
    stream: str
    kept: int

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Say who is first: the longest ended, then the largest of the living; those of little gain last."""
        of_age = -float(self.kept) if self.output.ended_at is None else self.output.ended_at
        return self.kept < _STEP, not self.output.is_over, of_age


class Caps:
    """Counts what is kept of each agent and of the session, and drops what is too much."""

    def __init__(self, agents: Agents, agent_cap: int, session_cap: int, notices: list[str]) -> None:
        self._agents = agents
        self._agent_cap, self._session_cap = agent_cap, session_cap
        #: Bytes kept of all outputs of the session, once they are counted.
        self.kept = 0
        self._over: set[OutputLog] = set()
        self._cannot: set[str] = set()
        self._is_session_stuck = False
        self._work: asyncio.Task[None] | None = None
        #: The session's: what people should know.
        self._notices = notices
        #: Held from storing a beginning until it is that of the log.
        self._storing = asyncio.Lock()
        agents.outputs.on_cut = self.cut

    async def begin(self) -> None:
        """Count what there is, and give back what a killed daemon had dropped already."""
        await self._survey(await self._agents.store.outputs())
        for agent in self._agents:
            for log in agent.logs:
                self.grew(log, 0)

    async def _survey(self, outputs: list[StoredOutput]) -> list[_Candidate]:
        """Look at every log, and count anew."""
        directory, present = self._agents.place.data / "agents", self._agents.present
        found = await asyncio.to_thread(lambda: list(_look_at(directory, outputs)))
        ended = sum(one.kept for one in found if one.output.agent_id not in present)
        self.kept = ended + sum(log.kept for agent in present.values() for log in agent.logs)
        return found

    def grew(self, log: OutputLog, count: int) -> None:
        """Take note of growth: called often, and cheap."""
        self.kept += count
        # First what costs nothing to ask: this is called some ten thousand times a second.
        is_near = 0 < self._agent_cap < log.size - log.begin
        if is_near and self._agent_cap < log.kept and str(log.path) not in self._cannot:
            self._over.add(log)
        elif self._session_cap == 0 or self.kept <= self._session_cap or self._is_session_stuck:
            return
        if self._work is None or self._work.done():
            self._work = self._agents.background.start(self._keep_within(), "keep within the caps")

    async def _keep_within(self) -> None:
        while self._over:
            log = self._over.pop()
            step = _step(self._agent_cap)
            while 0 < self._agent_cap < log.kept and await self._drop(
                log, await asyncio.to_thread(_line_after, log, log.size - self._agent_cap + step), AGENT_CAP
            ):
                pass
        if 0 < self._session_cap < self.kept:
            await self._keep_session_within()

    async def _keep_session_within(self) -> None:
        found = await self._survey(await self._agents.store.outputs())
        goal = self._session_cap - _step(self._session_cap)
        for one in sorted((one for one in found if one.kept > 0), key=lambda one: one.rank):
            if self.kept <= goal:
                break
            row = await self._agents.store.agent(one.output.agent_id)
            if row is None or row.collected_at is not None:
                continue
            log = self._agents.outputs.of(row, one.stream)
            # Who goes on speaking meanwhile gives more, before anybody else gives anything.
            while (much := self.kept - goal) > 0:
                begin = log.size if log.kept <= max(much, _STEP) else log.begin + max(much, _STEP)
                if not await self._drop(log, begin, SESSION_CAP):
                    break
        # Nothing more can be done now, nor at the next byte.
        self._is_session_stuck = bool(self._cannot) and self.kept > self._session_cap

    async def _drop(self, log: OutputLog, begin: int, reason: str) -> bool:
        """Drop what lies before; say whether that did anything."""
        if not await asyncio.to_thread(self._can_drop, log):
            return False
        async with self._storing:
            if not log.begin < begin <= log.size:
                return False
            agent = self._agents.present.get(log.agent_id)
            name = agent.row.name if agent is not None else None
            data = {"name": name, "stream": log.stream, "begin": log.begin, "end": begin, "reason": reason}
            unit = Unit().set_begin(log.agent_id, log.stream, begin)
            await self._insist(unit.event("AgentEvent", "output_dropped", log.agent_id, data, time.time()))
            reached("output.drop_committed")
            kept = log.kept
            log.drop(begin)
            self.forget(kept - log.kept)
            self._remember(log)
        await asyncio.to_thread(_give_back, log)
        reached("output.dropped")
        return True

    def cut(self, log: OutputLog) -> None:
        """Take note that a program has cut its own log to before its beginning."""
        self._agents.background.start(self._begin_anew(log), f"begin {log.stream} of {log.agent_id} anew")

    async def _begin_anew(self, log: OutputLog) -> None:
        async with self._storing:
            await self._insist(Unit().begin_anew(log.agent_id, log.stream, log.begin))
            self._remember(log)

    def _remember(self, log: OutputLog) -> None:
        """Let an agent's row say what the store does."""
        if (agent := self._agents.present.get(log.agent_id)) is not None:
            begin, is_stdout = log.begin, log.stream == "stdout"
            agent.row = replace(agent.row, output_from=begin) if is_stdout else replace(agent.row, errors_from=begin)

    def _can_drop(self, log: OutputLog) -> bool:
        try:
            descriptor = os.open(log.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            can = hole.can_punch(descriptor)
        finally:
            os.close(descriptor)
        if not can and not self._cannot:
            notice = "the file system of the output logs cannot give back their oldest part: the caps are not kept"
            self._notices.append(notice)
            _log.error("%s: %s", log.path, notice)
        if not can:
            self._cannot.add(str(log.path))
        return can

    async def _insist(self, unit: Unit) -> None:
        while True:
            try:
                await self._agents.store.commit(unit)
            except Unavailable:
                await asyncio.sleep(_STORE_AGAIN)
            else:
                return

    def forget(self, count: int) -> None:
        """Take note that so much is gone otherwise."""
        self.kept -= count
        self._is_session_stuck = False


def _step(cap: int) -> int:
    return min(max(_STEP, cap // 16), cap // 2 + 1)


def _line_after(log: OutputLog, offset: int) -> int:
    """Return where the next line begins, if that is near; else the offset itself."""
    newline = log.read_apart(offset, _LINE).find(b"\n")
    return offset + newline + 1


def _give_back(log: OutputLog) -> None:
    try:
        log.punch()
    except OSError as error:
        # Nobody reads it any more; the next daemon tries again.
        _log.error("%s: what was dropped still takes room: %s", log.path, error)


def _look_at(directory: Path, outputs: Iterable[StoredOutput]) -> Iterator[_Candidate]:
    """Look at every log on the disk; in a thread."""
    for output in outputs:
        if output.collected_at is not None:
            continue
        for stream, begin in output.begins.items():
            path = directory / output.agent_id / f"{FILES[stream]}.log"
            try:
                found = path.stat()
                # What is shorter was cut by its program: what it has now was said since.
                if 0 < begin <= found.st_size:
                    _punch_again(path, begin)
            except OSError:
                continue
            # What a full disk refused takes no room either, what is compressed takes less.
            taken = found.st_blocks * 512 + find_cold(path.with_suffix(".cold"), begin)[1]
            yield _Candidate(output, stream, max(0, min(found.st_size - begin, taken)))


def _punch_again(path: Path, begin: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if not hole.is_punched(descriptor, begin):
            hole.punch(descriptor, 0, begin)
    finally:
        os.close(descriptor)
