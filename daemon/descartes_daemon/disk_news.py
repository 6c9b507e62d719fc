"""Tell of full disks, and of what they cost, once there is room to store it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass

from descartes_core.errors import Unavailable
from descartes_daemon.agents import Agents
from descartes_daemon.output_log import Gap, OutputLog
from descartes_daemon.unit import Unit

_log = logging.getLogger(__name__)

#: How often a store on that very disk is tried again (seconds).
_STORE_AGAIN = 1.0
#: What waits for room at most; each disk that fills up and empties again makes a handful.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class _Lost:
    """A gap that has ended; it is told once only, however many daemons come across it."""

    log: OutputLog
    gap: Gap
    at: float


class DiskNews:
    """Tells `disk_full` with the first log that cannot be written, `disk_room` with the last one that can again."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._troubled: set[OutputLog] = set()
        self._waiting: deque[Unit | _Lost] = deque(maxlen=_MOST)
        self._storing: asyncio.Task[None] | None = None
        agents.outputs.on_trouble = self.troubled
        agents.outputs.on_gap = self.gap
        agents.outputs.all_told = self.all_told

    def troubled(self, log: OutputLog, trouble: str | None) -> None:
        """Take note that a log cannot be written, or can again."""
        was_full = bool(self._troubled)
        if trouble is None:
            self._troubled.discard(log)
        else:
            self._troubled.add(log)
        if bool(self._troubled) == was_full:
            return
        data = {"path": str(log.path)}
        if trouble is None:
            _log.info("%s can be written again", log.path)
            self.tell(Unit().event("SystemEvent", "disk_room", None, data, time.time()))
        else:
            _log.error("%s cannot be written: %s", log.path, trouble)
            policy = "drop" if log.drops_when_full else "wait"
            data |= {"trouble": trouble, "agent_id": log.agent_id, "policy": policy}
            self.tell(Unit().event("SystemEvent", "disk_full", None, data, time.time()))

    def gap(self, log: OutputLog, gap: Gap) -> None:
        """Tell of what one agent said in vain, unless that was told already."""
        self.tell(_Lost(log, gap, time.time()))

    def tell(self, news: Unit | _Lost) -> None:
        """Store an event as soon as there is room for it."""
        self._waiting.append(news)
        if self._storing is None or self._storing.done():
            self._storing = self._agents.background.start(self._store(), "tell of the disk")

    async def all_told(self) -> None:
        """Wait until all of it is stored; on a full disk that takes until there is room."""
        while self._storing is not None and not self._storing.done():
            await asyncio.wait({self._storing})

    async def _store(self) -> None:
        while self._waiting:
            await self._insist(self._waiting.popleft())

    async def _insist(self, news: Unit | _Lost) -> None:
        while True:
            try:
                unit = news if isinstance(news, Unit) else await self._unit_of(news)
                if unit is not None:
                    await self._agents.store.commit(unit)
            except Unavailable:
                await asyncio.sleep(_STORE_AGAIN)
            else:
                return

    async def _unit_of(self, lost: _Lost) -> Unit | None:
        """Return what tells of a gap, and remembers that; None where an earlier daemon did."""
        log, gap, store = lost.log, lost.gap, self._agents.store
        key = f"gaps told of {log.agent_id} {log.stream}"
        if int(await store.noted(key) or 0) >= gap.end:
            return None
        _log.error("%s: %d bytes from %d on are lost: %s", log.path, gap.end - gap.begin, gap.begin, gap.reason)
        row = await store.agent(log.agent_id)
        name = row.name if row is not None else None
        data = {"name": name, "stream": log.stream, "begin": gap.begin, "end": gap.end, "reason": gap.reason}
        unit = Unit().event("AgentEvent", "output_dropped", log.agent_id, data, lost.at)
        return unit.note(key, str(gap.end))
