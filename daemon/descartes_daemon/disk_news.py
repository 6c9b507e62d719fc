"""Tell of full disks, and of what they cost, once there is room to store it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque

from descartes_core.errors import Unavailable
from descartes_daemon.agents import Agents
from descartes_daemon.output_log import Gap, OutputLog
from descartes_daemon.unit import Unit

_log = logging.getLogger(__name__)

#: How often a store on that very disk is tried again (seconds).
_STORE_AGAIN = 1.0
#: What waits for room at most; each disk that fills up and empties again makes a handful.
_MOST = 1000


class DiskNews:
    """Tells `disk_full` with the first log that cannot be written, `disk_room` with the last one that can again."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._troubled: set[OutputLog] = set()
        self._waiting: deque[Unit] = deque(maxlen=_MOST)
        self._storing: asyncio.Task[None] | None = None
        agents.outputs.on_trouble = self.troubled
        agents.outputs.on_gap = self.gap

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
            self._tell(Unit().event("SystemEvent", "disk_room", None, data, time.time()))
        else:
            _log.error("%s cannot be written: %s", log.path, trouble)
            policy = "drop" if log.drops_when_full else "wait"
            data |= {"trouble": trouble, "agent_id": log.agent_id, "policy": policy}
            self._tell(Unit().event("SystemEvent", "disk_full", None, data, time.time()))

    def gap(self, log: OutputLog, gap: Gap) -> None:
        """Tell of what one agent said in vain."""
        agent = self._agents.present.get(log.agent_id)
        name = agent.row.name if agent is not None else None
        _log.error("%s: %d bytes from %d on are lost: %s", log.path, gap.end - gap.begin, gap.begin, gap.reason)
        data = {"name": name, "stream": log.stream, "begin": gap.begin, "end": gap.end, "reason": gap.reason}
        self._tell(Unit().event("AgentEvent", "output_dropped", log.agent_id, data, time.time()))

    def _tell(self, unit: Unit) -> None:
        self._waiting.append(unit)
        if self._storing is None or self._storing.done():
            self._storing = self._agents.background.start(self._store(), "tell of the disk")

    async def _store(self) -> None:
        while self._waiting:
            try:
                await self._agents.store.commit(self._waiting[0])
            except Unavailable:
                await asyncio.sleep(_STORE_AGAIN)
            else:
                self._waiting.popleft()
