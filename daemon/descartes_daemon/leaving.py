"""End agents for the daemon's own end: all at once, under one deadline."""

from __future__ import annotations

import asyncio
import logging
import time

from descartes_core.agent_life import Cause
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.effects import Effects
from descartes_daemon.orphans import Orphans

_log = logging.getLogger(__name__)

#: What a killed tree may take to be gone, beyond the longest grace.
_MARGIN = 10.0


class Leaving:
    """Ends what this daemon runs."""

    def __init__(self, agents: Agents, effects: Effects, orphans: Orphans) -> None:
        self._agents = agents
        self._effects = effects
        self._orphans = orphans

    async def end_all(self, grace: float | None = None) -> None:
        """End every agent, what ended ones have left, and what nobody can attribute."""
        await self.end(list(self._agents), grace)
        await self._orphans.end_all()

    async def end(self, agents: list[Agent], grace: float | None = None) -> None:
        """Ask all of these to end; the table kills what is left after the grace."""
        if not agents:
            return
        longest = 0.0
        for agent in agents:
            patience = agent.row.grace if grace is None else grace
            longest = max(longest, patience)
            if agent.is_alive and agent.kill_at is None:
                agent.kill_at = time.time() + patience
        await asyncio.gather(
            *(self._agents.try_move(agent, Cause.STOP_ASKED, evidence="the session ends") for agent in agents)
        )
        try:
            async with asyncio.timeout(longest + _MARGIN):
                await self._agents.all_gone(agents)
        except TimeoutError:
            _log.error("some agents would not end: they are killed")
            await asyncio.gather(*(self._effects.kill_rest(agent) for agent in agents))
