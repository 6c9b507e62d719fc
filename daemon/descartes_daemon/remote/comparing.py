"""Ask a runner, each time it has come, how our agents there are."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable

from descartes_core.bus.messages import AgentInfo, ListAgentsRequest, ListAgentsResponse, Peer
from descartes_core.errors import DescartesError
from descartes_core.ids import new_id
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.remote.body import body_of
from descartes_daemon.remote.losing import elsewhere
from descartes_daemon.remote.mirroring import Mirror
from descartes_daemon.remote.runners import Runners
from descartes_local.probe import reached

_log = logging.getLogger(__name__)

#: So many are asked about at once.
_MANY = 500
_PATIENCE = 30.0
#: Where a person waits for figures (seconds).
_SOON = 1.5
#: Before a runner that is there and does not answer is asked again (seconds).
_PAUSE = 5.0


class Comparing:
    """One question at a time to each runner."""

    def __init__(self, agents: Agents, runners: Runners, mirror: Mirror) -> None:
        self._agents = agents
        self._runners = runners
        self._mirror = mirror
        #: Which start of each runner was asked.
        self._asked: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        #: Which are to be asked once more when they have answered.
        self._waits: set[str] = set()

    def forget(self, name: str | None = None) -> None:
        """Ask this one again, or all, when they are back."""
        if name is None:
            self._asked.clear()
        else:
            self._asked.pop(name, None)

    def came(self, peer: Peer) -> None:
        """Ask a runner that is there, unless this start of it was asked already."""
        if self._asked.get(peer.name) != peer.generation:
            self._asked[peer.name] = peer.generation
            self.soon(peer.name)

    def soon(self, name: str) -> None:
        """Ask it, once more where it is being asked."""
        task = self._tasks.get(name)
        if name in self._waits:
            return
        if task is not None and not task.done():
            self._waits.add(name)
        self._tasks[name] = self._agents.background.start(self._after(task, name), f"compare with {name}")

    async def _after(self, task: asyncio.Task[None] | None, name: str) -> None:
        if task is not None and not task.done():
            try:
                await asyncio.wait([task])
            finally:
                self._waits.discard(name)
        while agents := [agent for agent in elsewhere(self._agents) if agent.row.host == name]:
            try:
                for first in range(0, len(agents), _MANY):
                    await self._compare(name, agents[first : first + _MANY])
                break
            except DescartesError as error:
                _log.warning("%s was not asked how its agents are: %s", name, error)
            await asyncio.sleep(_PAUSE)
            if not any(self._runners.reach(agent) for agent in agents):
                return
        reached("remote.compared")

    async def ask(self, agents: Iterable[Agent]) -> None:
        """Ask how these are now; who does not answer soon is not waited for."""
        by_host: dict[str, list[Agent]] = defaultdict(list)
        for agent in agents:
            if agent.row.host is not None and agent.is_alive and self._runners.reach(agent):
                by_host[agent.row.host].append(agent)
        await asyncio.gather(*(self._look(theirs[:_MANY]) for theirs in by_host.values()))

    async def _look(self, agents: list[Agent]) -> None:
        try:
            told = await self._told(agents, _SOON)
        except DescartesError as error:
            _log.info("%s does not tell what its agents take: %s", agents[0].row.host, error)
            return
        for agent in agents:
            if (info := told.get(agent.id)) is not None:
                self._mirror.told(agent, info)

    async def _told(self, agents: list[Agent], patience: float) -> dict[str, AgentInfo]:
        request = ListAgentsRequest(request_id=new_id(), agent_ids=tuple(agent.id for agent in agents))
        answer = await self._runners.ask(agents[0], request, timeout=patience)
        assert isinstance(answer, ListAgentsResponse), "nothing else answers that"
        return {info.id: info for info in answer.agents}

    async def _compare(self, name: str, agents: list[Agent]) -> None:
        fit = [agent for agent in agents if self._runners.reach(agent)]
        if not fit:
            return
        told = await self._told(fit, _PATIENCE)
        for agent in fit:
            if (info := told.get(agent.id)) is not None:
                self._found(agent)
                self._mirror.told(agent, info)
            else:
                await self._mirror.absent(agent)
        _log.info("%s knows %d of %d agents", name, len(told), len(fit))

    def _found(self, agent: Agent) -> None:
        if (body := body_of(agent)) is not None:
            body.why_lost = None
            body.ask()

    def doubt(self, agents: Iterable[Agent]) -> None:
        """Ask how these are, whose runners and we may differ about them."""
        for name in {agent.row.host for agent in agents if agent.row.host is not None}:
            self.soon(name)
