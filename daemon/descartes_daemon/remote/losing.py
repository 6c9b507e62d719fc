"""Say of agents elsewhere that nobody knows how they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from descartes_core.agent_life import Cause, State
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.remote.body import body_of
from descartes_daemon.remote.runners import Runners
from descartes_local.probe import reached


class Losing:
    """Lets agents be lost; who finds them again is `comparing.py`."""

    def __init__(self, agents: Agents, runners: Runners) -> None:
        self._agents = agents
        self._runners = runners
        self._timer: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Look when the hub has been silent for as long as it may; a hub that is started anew is back before."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._runners.patience, self._over)

    def anew(self) -> None:
        """Begin to wait anew."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.soon()

    @property
    def is_patient(self) -> bool:
        """Whether somebody is being waited for."""
        return self._timer is not None

    def _over(self) -> None:
        self._timer = None
        self.look(elsewhere(self._agents))

    def look(self, agents: Iterable[Agent]) -> None:
        """Let those be lost whose runners cannot be spoken to."""
        for agent in agents:
            assert agent.row.host is not None, "it runs elsewhere"
            if (why := self._runners.why_not(agent.row.host, agent.row.host_key)) is not None:
                self._lose(agent, why)

    def _lose(self, agent: Agent, why: str) -> None:
        body = body_of(agent)
        if body is None or body.is_starting:
            return
        body.why_lost, body.said = why, None
        if agent.is_alive and agent.row.state is not State.LOST:
            self._agents.background.start(self._move(agent, why), f"lose {agent.id}")

    async def _move(self, agent: Agent, why: str) -> None:
        await self._agents.try_move(agent, Cause.HOST_GONE, evidence=why)
        agent.launched.set()
        reached("remote.lost")


def elsewhere(agents: Agents) -> list[Agent]:
    """Return those in memory that run on other machines."""
    return [agent for agent in agents.present.values() if agent.row.host is not None]
