"""End agents that take more than they may, and say so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from descartes_core.agent_life import Cause, State
from descartes_core.errors import IllegalTransition, Unavailable
from descartes_core.limits import over_time
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.effects import Effects
from descartes_daemon.limit_watch import LimitWatch
from descartes_daemon.verdict import COUNTED, verdict
from descartes_local.deadline import from_wall

_log = logging.getLogger(__name__)


class Limiting:
    """Holds each agent that has limits within them, from the start of its program to its end."""

    def __init__(self, agents: Agents, effects: Effects) -> None:
        self._agents = agents
        self._effects = effects
        self._watch = LimitWatch(lambda work: agents.background.start(work, "watch limits"), self.hit)

    def begin(self, agent: Agent) -> None:
        """Hold an agent whose program runs, or was found running by the next daemon; without limits nothing is done."""
        if agent.row.limits is not None and agent.row.state in (State.RUNNING, State.PAUSED):
            self._agents.background.start(self._hold(agent), f"limits of {agent.id}")

    async def _hold(self, agent: Agent) -> None:
        undo = [*self._time(agent), *self._kernel(agent)]
        if agent.row.limited_by in ("daemon", "both"):
            self._watch.begin(agent)
        try:
            await agent.ended.wait()
        finally:
            for step in undo:
                step()

    def _time(self, agent: Agent) -> list[Callable[[], object]]:
        """Arm the timer; it counts from the stored start, and is over at once where that was long enough ago."""
        limits, started = agent.row.limits, agent.row.started_at
        if limits is None or limits.timeout is None or started is None:
            return []
        left = from_wall(started + limits.timeout, limits.timeout) - time.monotonic()
        timer = asyncio.get_running_loop().call_later(left, self.hit, agent, over_time(limits.timeout))
        return [timer.cancel]

    def _kernel(self, agent: Agent) -> list[Callable[[], object]]:
        """Hear of what the kernel counts, at once; what it had counted before, too."""
        if agent.cgroup is None or agent.row.limited_by not in ("cgroup", "both"):
            return []
        files = [agent.cgroup.path / file for file, _ in COUNTED.values()]
        look = partial(self._look, agent)
        undo = [self._agents.outputs.growth.watch(path, look) for path in files if path.exists()]
        look()
        return list(undo)

    def _look(self, agent: Agent) -> None:
        if (why := verdict(agent.cgroup, agent.row.limits)) is not None:
            self.hit(agent, why)

    def hit(self, agent: Agent, why: str) -> None:
        """End an agent that is over a limit; what comes later than its end, or twice, is dropped."""
        if agent.over is None and agent.row.state in (State.RUNNING, State.PAUSED):
            agent.over = why
            self._agents.background.start(self._end(agent, why), f"{why}: {agent.id}")

    async def _end(self, agent: Agent, why: str) -> None:
        try:
            await self._agents.move(
                agent,
                Cause.LIMIT_HIT,
                evidence=why,
                facts=lambda unit: unit.set_ended_by(agent.id, why),
                ended_by=why,
            )
        except IllegalTransition:
            _log.info("agent %s: %s, when it was %s", agent.id, why, agent.row.state)
        except Unavailable as error:
            # What fills the memory must not go on because the disk is full; its end tells why (watching.py).
            _log.error("agent %s: %s: %s", agent.id, why, error)
            await self._effects.here.kill_tree(agent)
