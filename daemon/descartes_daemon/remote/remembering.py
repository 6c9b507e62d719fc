"""Ask again for what was asked of an agent, and was not done."""

from __future__ import annotations

import logging
import time

from descartes_core.agent_life import Cause, State
from descartes_core.bus.messages import AgentInfo
from descartes_core.bus.mirror import state_of
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.remote.body import body_of
from descartes_daemon.remote.there import There
from descartes_local.deadline import from_wall

_log = logging.getLogger(__name__)

_KILLED = {Cause.KILL_ASKED, Cause.GRACE_OVER, Cause.LIMIT_HIT}


class Remembering:
    """Knows from the history what was asked: that outlives every daemon."""

    def __init__(self, agents: Agents, there: There) -> None:
        self._agents = agents
        self._there = there

    async def ask_again(self, agent: Agent, info: AgentInfo) -> None:
        """Ask a living agent to end that was asked before, and that does not do so there."""
        body = body_of(agent)
        if body is None or body.settled is agent.row:
            return
        row, asked = agent.row, await self._asked(agent)
        if asked is None:
            body.settled = row
            return
        if agent.row.state is State.LOST:
            # Its runner has lost it, too: such a one can only be killed.
            if state_of(info) is State.LOST and info.cause not in _KILLED:
                self._agents.background.start(self._there.kill_tree(agent), f"kill again {agent.id}")
        elif agent.row.state is not State.STOPPING:
            # It was lost when it was asked, or since.
            await self._agents.try_move(agent, asked, evidence="asked before, while it was lost")
        elif asked is Cause.KILL_ASKED and info.cause not in _KILLED:
            self._agents.background.start(self._there.kill_tree(agent), f"kill again {agent.id}")
        elif state_of(info) is not State.STOPPING:
            agent.kill_at = await self._kill_at(agent)
            self._agents.background.start(self._there.ask_to_end(agent), f"stop again {agent.id}")

    async def _asked(self, agent: Agent) -> Cause | None:
        """Return the strongest thing that was ever asked: nobody takes back a stop."""
        moves = {move.cause for move in await self._agents.store.transitions(agent.id)}
        if not _KILLED.isdisjoint(moves):
            return Cause.KILL_ASKED
        return Cause.STOP_ASKED if Cause.STOP_ASKED in moves else None

    async def _kill_at(self, agent: Agent) -> float:
        """Return when the grace of its stop is over (monotonic)."""
        asked = [move.at for move in await self._agents.store.transitions(agent.id) if move.cause == Cause.STOP_ASKED]
        grace = agent.row.grace if agent.row.stop_grace is None else agent.row.stop_grace
        return from_wall((asked[-1] if asked else time.time()) + grace, grace)
