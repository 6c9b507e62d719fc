"""End agents for the daemon's own end: all at once, under one deadline."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from descartes_core.agent_life import Cause, State
from descartes_core.errors import IllegalTransition, Unavailable
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.effects import Effects
from descartes_daemon.ending import all_ended
from descartes_daemon.orphans import Orphans
from descartes_local.processes import process_of

_log = logging.getLogger(__name__)

#: What a killed tree may take to be gone: beyond the longest grace, and once more when it has to be insisted on.
_MARGIN = 2.0
_KILL_DEADLINE = 10.0
#: What whoever asked everybody to end leaves agents, and us to tell how they ended: systemd kills after 10 s at least.
_SEEING_OFF = 5.0


class Leaving:
    """Ends what this daemon runs."""

    def __init__(self, agents: Agents, effects: Effects, orphans: Orphans) -> None:
        self._agents = agents
        self._effects = effects
        self._orphans = orphans
        #: What is noted of agents that are asked to end.
        self.why = "the session ends"

    async def end_all(self, grace: float | None = None) -> None:
        """End every agent, what ended ones have left, and what nobody can attribute; nothing new is started."""
        self._agents.is_closing = True
        await self.end(list(self._agents), grace)
        await self._orphans.end_all()
        await self._end_groups()

    async def _end_groups(self) -> None:
        """Kill what agents were told to leave, as far as their control groups tell of it, and remove these."""
        groups = self._agents.cgroups
        left = {group: {found for pid in group.pids() if (found := process_of(pid))} for group in groups.leftovers()}
        for group, processes in left.items():
            group.kill()
            await all_ended(processes, _KILL_DEADLINE)
            group.remove()
        groups.tidy()

    async def see_off(self) -> None:
        """Wait a moment for the ends of agents that were asked by somebody else, so that they are told."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SEEING_OFF):
                # Also of those that have just ended: what stays in keeping has to be kept.
                await asyncio.gather(*(agent.let_go.wait() for agent in self._agents))
        if self._agents.living:
            _log.info("%d agents go on, in keeping", len(self._agents.living))

    async def end(self, agents: list[Agent], grace: float | None = None) -> None:
        """Ask all of these to end; the table kills what is left after the grace."""
        patience = {agent: agent.row.grace if grace is None else grace for agent in agents}
        for agent in agents:
            self._ask(agent, patience[agent])
        agents = [agent for agent in agents if self._effects.side(agent).reaches(agent)]
        if await self._gone(agents, max(patience.values(), default=0.0) + _MARGIN):
            return
        _log.error("some agents would not end: they are killed")
        left = [agent for agent in agents if not agent.gone.is_set()]
        await asyncio.gather(*(self._effects.side(agent).kill_rest(agent) for agent in left))
        if self._agents.store.health() in (None, "healthy"):  # else no end is noted here: the next daemon sees it
            await self._gone(left, _KILL_DEADLINE)

    def _ask(self, agent: Agent, patience: float) -> None:
        if not agent.is_alive:
            self._agents.background.start(self._end_rest(agent, patience), f"end what is left of {agent.id}")
            return
        sooner = agent.kill_at is None or agent.kill_at > time.monotonic() + patience
        if agent.row.state is State.STOPPING and sooner:
            self._effects.arm_grace(agent, patience)
        elif sooner:
            agent.kill_at = time.monotonic() + patience
        self._agents.background.start(self._ask_to_end(agent), f"end {agent.id}")

    async def _ask_to_end(self, agent: Agent) -> None:
        """Ask as `stop` does; where that cannot be noted the agent is ended all the same.

        Else nobody could end a session on a full disk; should this daemon be killed now, then the next one finds an
        agent that runs, or one that has ended.
        """
        try:
            await self._agents.move(agent, Cause.STOP_ASKED, evidence=self.why)
        except IllegalTransition:
            _log.info("agent %s was %s already", agent.id, agent.row.state)
        except Unavailable as error:
            _log.error("agent %s is ended, which cannot be noted: %s", agent.id, error)
            await self._effects.side(agent).end_tree(agent)
            agent.gone.set()

    async def _end_rest(self, agent: Agent, patience: float) -> None:
        """Kill what an ended agent has left, which may have a longer grace of its own."""
        if not await self._gone([agent], patience):
            await self._effects.side(agent).kill_rest(agent)

    async def _gone(self, agents: list[Agent], patience: float) -> bool:
        try:
            async with asyncio.timeout(patience):
                await self._agents.all_gone(agents)
        except TimeoutError:
            return False
        return True
