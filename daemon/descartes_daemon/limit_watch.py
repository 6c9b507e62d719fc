"""Look at agents whose limits no kernel holds; at no cost while there are none.

What a tree has is summed up once a second, sooner where it grows towards its limit. Resident memory, cheaply read,
counts what is shared several times over; so it only says that a tree is within its limit. Beyond it the exact share
decides. Why there are no rlimits: docs/decisions/0018-limits.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from descartes_core.agent_life import State
from descartes_core.limits import Limits, over_memory, over_pids
from descartes_daemon.agent import Agent
from descartes_local.process_usage import proportional_of, size_of

#: From one look to the next (seconds): at most, at least, and before the second one.
_LONGEST, _SHORTEST, _FIRST = 1.0, 0.05, 0.1
#: A look may take this part of the time.
_PART = 0.1
#: Something that grows is looked at again when it has grown this much of the way to its limit.
_WAY = 0.5


@dataclass(slots=True)
class _Seen:
    """How much of its limits an agent's tree had when it was looked at, and when (monotonic)."""

    share: float
    at: float


class LimitWatch:
    """One task for all of them; it ends with the last."""

    def __init__(
        self, start: Callable[[Coroutine[Any, Any, None]], object], on_hit: Callable[[Agent, str], None]
    ) -> None:
        """Know how to run in the background, and whom to tell of an agent that is over a limit."""
        self._start, self._on_hit = start, on_hit
        self._seen: dict[Agent, _Seen] = {}
        self._is_running = False
        self._more = asyncio.Event()

    def begin(self, agent: Agent) -> None:
        """Look at an agent from now on, until it ends."""
        self._seen[agent] = _Seen(0.0, time.monotonic())
        self._more.set()
        if not self._is_running:
            self._is_running = True
            self._start(self.run())

    async def run(self) -> None:
        """Look until nobody is left to be looked at."""
        pause = _FIRST
        try:
            while self._seen:
                await self._rest(pause)
                pause = await self._look()
        finally:
            self._is_running = False

    async def _rest(self, pause: float) -> None:
        """Wait; a new one may be quick, and shortens it."""
        self._more.clear()
        try:
            async with asyncio.timeout(pause):
                await self._more.wait()
            await asyncio.sleep(_FIRST)
        except TimeoutError:
            return

    async def _look(self) -> float:
        """Look at all once; return how long to wait before the next time."""
        for agent in [agent for agent in self._seen if agent.row.state not in (State.RUNNING, State.PAUSED)]:
            del self._seen[agent]
        began, pause = time.monotonic(), _LONGEST
        for agent in list(self._seen):
            share, why = await asyncio.to_thread(weigh, agent)
            if why is not None:
                self._seen.pop(agent, None)
                self._on_hit(agent, why)
            elif (seen := self._seen.get(agent)) is not None:
                pause = min(pause, _until_next(seen, share))
        return max(pause, (time.monotonic() - began) / _PART)


def _until_next(seen: _Seen, share: float) -> float:
    now = time.monotonic()
    pace = (share - seen.share) / max(now - seen.at, 0.001)
    seen.share, seen.at = share, now
    return _LONGEST if pace <= 0 else min(_LONGEST, max(_SHORTEST, _WAY * (1.0 - share) / pace))


def weigh(agent: Agent) -> tuple[float, str | None]:
    """Return how much of its limits a tree has (1: all), and which one it is over; may be called in a thread."""
    limits = agent.row.limits or Limits()
    pids = agent.pids()
    sizes = [size for pid in pids if (size := size_of(pid)) is not None]
    tasks = sum(size.tasks for size in sizes)
    if limits.pids is not None and tasks > limits.pids:
        return 1.0, over_pids(tasks, limits.pids)
    shares = [0.0 if limits.pids is None else tasks / limits.pids]
    if limits.memory is not None:
        memory = sum(size.resident for size in sizes)
        if memory > limits.memory:
            memory = _exact(pids)
        if memory > limits.memory:
            return 1.0, over_memory(memory, limits.memory)
        shares.append(memory / limits.memory)
    return max(shares), None


def _exact(pids: list[int]) -> int:
    """Return the memory of a tree, what is shared within it counted once."""
    total = 0
    for pid in pids:
        share = proportional_of(pid)
        if share is None and (size := size_of(pid)) is not None:
            share = size.resident
        total += share or 0
    return total
