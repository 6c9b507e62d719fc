"""News of agents, told to whom they concern: at once, and at an interval."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from descartes_core.agent_life import State
from descartes_core.bus.link import LinkState
from descartes_core.bus.messages import StatusUpdate, UpdateType
from descartes_core.times import written
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.bus.belonging import Belonging
from descartes_daemon.bus.dealer import Bus
from descartes_daemon.bus.describing import described

_ENDED: dict[State, UpdateType] = {
    State.COMPLETED: "completed",
    State.FAILED: "error",
    State.TERMINATED: "terminated",
}


class Reports:
    """Tells a runner's agents to the daemons they belong to, and a daemon's to the clients that want to hear."""

    def __init__(self, bus: Bus, agents: Agents, belonging: Belonging) -> None:
        self._bus, self._agents, self._belonging = bus, agents, belonging
        self._news: dict[str, Agent] = {}
        self._is_called = False
        self._timer: asyncio.TimerHandle | None = None
        bus.subscribe(on_peer=lambda _peer: self._keep_beating(), on_state=lambda _state: self._keep_beating())

    def changed(self, agent: Agent) -> None:
        """Tell of an agent in the loop's next turn: of several changes at once the last one counts."""
        if self._bus.state is not LinkState.CONNECTED:
            return  # who comes back asks for all
        self._news[agent.id] = agent
        if not self._is_called:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._tell_news)

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell_news(self) -> None:
        self._is_called = False
        news, self._news = self._news, {}
        for agent in news.values():
            self._tell(agent, _ENDED.get(agent.row.state, "status_changed"))
        self._keep_beating()

    def _tell(self, agent: Agent, kind: UpdateType) -> None:
        to = list(self._listeners(agent))
        if not to or not agent.is_stored:
            return
        info = described(agent)
        update = StatusUpdate(
            agent_id=agent.id,
            update_type=kind,
            status=info.status,
            message=agent.row.evidence,
            timestamp=written(time.time()),
            agent_info=info,
        )
        for name in to:
            self._bus.tell(update, name)

    def _listeners(self, agent: Agent) -> Iterable[str]:
        if self._belonging.is_runner:
            owner = agent.row.owner
            peer = None if owner is None else self._bus.peers.get(owner)
            # One that is not there asks when it comes back.
            return () if owner is None or (peer is not None and peer.state != "connected") else (owner,)
        return self._clients()

    def _clients(self) -> list[str]:
        peers = self._bus.peers.values()
        return [one.name for one in peers if one.role == "client" and one.updates and one.state == "connected"]

    def _keep_beating(self) -> None:
        """Beat while anybody is to hear of a living agent; at rest nothing wakes up."""
        welcome = self._bus.welcome
        is_wanted = (
            self._bus.state is LinkState.CONNECTED
            and welcome is not None
            and welcome.status_updates
            and any(True for agent in self._agents.present.values() if any(True for _ in self._listeners(agent)))
        )
        if not is_wanted:
            self.close()
        elif self._timer is None and welcome is not None:
            self._timer = asyncio.get_running_loop().call_later(welcome.status_interval_secs, self._beat)

    def _beat(self) -> None:
        self._timer = None
        if not self._bus.is_congested:
            for agent in self._agents.living:
                self._tell(agent, "heartbeat")
        self._keep_beating()
