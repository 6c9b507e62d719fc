"""Compress what agents said that ended long ago; offsets stay.

Looked for when `descartes gc` asks; besides, a few times a day at most, when the daemon has started and when an agent
has ended: nothing wakes up for it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from pathlib import Path
from typing import Any

from descartes_core.times import written_or_none
from descartes_daemon import hole
from descartes_daemon.agents import Agents
from descartes_daemon.compressing import Unequal, cool, is_worth_it
from descartes_daemon.dropping import Caps
from descartes_daemon.output_log import OutputLog
from descartes_daemon.stored import StoredOutput

_log = logging.getLogger(__name__)

_DAY = 86_400.0
#: How often it is looked for unasked, at most (seconds).
_EVERY = 6 * 3600.0

Reply = dict[str, Any]


class Cooling:
    """Finds the logs that are old enough, and compresses one at a time."""

    def __init__(self, agents: Agents, caps: Caps, days: float) -> None:
        self._agents, self._caps, self._days = agents, caps, days
        self._turn = asyncio.Lock()
        self._looked: float | None = None

    def wake(self) -> None:
        """Look whether there is something to do, unless that was looked at lately; called often, and cheap."""
        now = time.monotonic()
        if self._looked is None or now - self._looked > _EVERY:
            self._looked = now
            self._agents.background.start(self._look(), "compress what is old")

    async def _look(self) -> None:
        if await self.cool(None):
            await self._caps.begin()

    async def cool(self, days: float | None, *, is_asked: bool = False) -> list[Reply]:
        """Compress what ended so many days ago (else: as configured), or only tell of it; return what that was."""
        before = time.time() - (self._days if days is None else days) * _DAY
        done: list[Reply] = []
        async with self._turn:
            for one in await self._agents.store.outputs():
                is_old = one.is_over and one.collected_at is None and (one.ended_at or 0.0) <= before
                if is_old and one.agent_id not in self._agents.present:
                    done += await self._cool(one, is_asked=is_asked)
        return done

    async def _cool(self, one: StoredOutput, *, is_asked: bool) -> list[Reply]:
        """Compress all that one agent said."""
        row = await self._agents.store.agent(one.agent_id)
        logs = [] if row is None else [self._agents.outputs.of(row, stream) for stream in one.begins]
        before = after = 0
        for log in logs:
            if log.begin < log.size and await asyncio.to_thread(_is_due, log):
                kept = log.kept
                taken = 0 if is_asked else await _compressed(log)
                if taken is not None:
                    before, after = before + kept, after + taken
        if not before:
            return []
        ended = written_or_none(one.ended_at)
        sizes = {"bytes": before, "compressed_bytes": None if is_asked else after}
        return [{"agent_id": one.agent_id, "name": one.name, "ended_at": ended, **sizes}]


async def _compressed(log: OutputLog) -> int | None:
    """Compress one log; who is cancelled waits for no more than a block."""
    stop = threading.Event()
    try:
        taken = await asyncio.to_thread(cool, log.path, log.begin, lambda: not stop.is_set())
        # What was dropped meanwhile is not needed there either.
        await asyncio.to_thread(log.punch)
    except (OSError, Unequal) as error:
        _log.error("%s: not compressed: %s", log.path, error)
        return None
    finally:
        stop.set()
    return taken


def _is_due(log: OutputLog) -> bool:
    """Say whether a log takes room that can be given back; in a thread."""
    return is_worth_it(log.path) and _can_punch(log.path)


def _can_punch(path: Path) -> bool:
    try:
        with path.open("r+b") as file:
            return hole.can_punch(file.fileno())
    except OSError:
        return False
