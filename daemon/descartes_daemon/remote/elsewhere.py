"""All that has to do with agents on other machines, put together."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from descartes_core.agent_life import ALIVE, FINAL, State
from descartes_core.bus.link import LinkState
from descartes_core.bus.messages import AgentInfo, Message, Output, Peer, StatusUpdate
from descartes_core.bus.mirror import state_of
from descartes_core.messages.agents import Spawn
from descartes_daemon.agent import Agent
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.agents import Agents
from descartes_daemon.effects import Effects
from descartes_daemon.remote.body import RemoteBody, body_of
from descartes_daemon.remote.comparing import Comparing
from descartes_daemon.remote.losing import Losing, elsewhere
from descartes_daemon.remote.mirroring import Mirror
from descartes_daemon.remote.placing import Placing
from descartes_daemon.remote.remembering import Remembering
from descartes_daemon.remote.runners import RUNNER, Bus, Runners
from descartes_daemon.remote.starting import StarterThere
from descartes_daemon.remote.there import There
from descartes_daemon.start import Starter

_log = logging.getLogger(__name__)

#: Seconds between the heartbeats of a daemon that has nothing on any runner.
_AT_REST = 20.0
#: Looked up at once of what nobody here knows; the others are told of again.
_MOST_LATE = 100


class Elsewhere:
    """Hears what runners say, and gives it to whom it concerns."""

    def __init__(self, agents: Agents, effects: Effects, configured: list[str]) -> None:
        self._agents, self._effects = agents, effects
        self._configured = configured
        self.runners = Runners()
        self._there = effects.elsewhere = There(agents, self.runners)
        self._mirror = Mirror(agents, Remembering(agents, self._there))
        self._comparing = Comparing(agents, self.runners, self._mirror)
        self._losing = Losing(agents, self.runners)
        self._placing = Placing(self.runners)
        self._there.on_done = self._keep_pace
        self._there.on_doubt = lambda agent: self._comparing.doubt([agent])
        self._there.on_given_up = self._given_up
        #: What started too late and is being ended.
        self._late: set[str] = set()

    async def place(self, request: Spawn) -> Starter:
        """Return where a new agent is to be started.

        Raises:
            Refused: no runner may take it now; the sentence says why of each.
            Unavailable: there is no hub.

        """
        peer, deadline = await self._placing.choose(request)
        self.runners.set_pace(None)
        starter = StarterThere(self._agents, self.runners, peer, self._configured, deadline)
        starter.on_settled = self._settled
        return starter

    async def ask(self, agents: list[Agent]) -> None:
        """Ask how these are now, those of them that run there."""
        await self._comparing.ask(agents)

    async def _given_up(self, agent: Agent) -> None:
        why = self.runners.why_not(agent.row.host or "", agent.row.host_key)
        await self._mirror.give_up(agent, f"given up: {why}")

    def _settled(self, agent: Agent) -> None:
        """Go where its runner said it is while its start was under way."""
        if (body := body_of(agent)) is not None and body.info is not None:
            self._mirror.follow(agent, body)

    def connect(self, bus: Bus) -> None:
        """Speak to runners by this bus from now on."""
        self.runners.bus = bus
        bus.subscribe(on_message=self._heard, on_peer=self._peer_moved, on_state=self._state_changed)
        self._state_changed(bus.state)

    def adopt(self, rows: Iterable[AgentRow]) -> None:
        """Go on with agents of an earlier daemon: they are as stored until their runners say otherwise."""
        for row in rows:
            agent = self._agents.of(row)
            agent.body = body = RemoteBody(agent, self.runners, self._agents.background)
            self._agents.present[agent.id] = agent
            body.open_some_time()
            if row.state is not State.INITIALIZING:
                agent.launched.set()
            if row.state is State.LOST:
                body.why_lost = row.evidence
            if row.state in FINAL:
                agent.ended.set()
                self._agents.background.start(self._there.finish(agent), f"finish {agent.id}")
        self._losing.soon()

    def _state_changed(self, state: LinkState) -> None:
        """Hear how we stand to the hub."""
        self._keep_pace()
        if state is not LinkState.CONNECTED:
            self._comparing.forget()
            if elsewhere(self._agents):
                self._losing.soon()
            return
        # A hub that was started anew knows nobody yet: the runners are given as long as it had itself.
        self._losing.anew()
        for peer in list(self.runners.peers.values()):
            self._peer_moved(peer)

    def _keep_pace(self) -> None:
        """Beat seldom while no agent of ours runs elsewhere."""
        self.runners.set_pace(None if elsewhere(self._agents) else _AT_REST)

    def _peer_moved(self, peer: Peer) -> None:
        """Hear of a runner."""
        if peer.role != RUNNER:
            return
        self._placing.came(peer)
        theirs = [agent for agent in elsewhere(self._agents) if agent.row.host == peer.name]
        if peer.state == "connected":
            self._comparing.came(peer)
        else:
            self._comparing.forget(peer.name)
        if not self._losing.is_patient:
            self._losing.look(theirs)

    def _heard(self, sender: str, message: Message) -> None:
        """Hear what a runner says."""
        if isinstance(message, Output):
            if (agent := self._of(sender, message.agent_id)) is not None and (body := body_of(agent)) is not None:
                body.came(message)
                if message.is_last and agent.is_alive and (body.info is None or state_of(body.info) not in FINAL):
                    self._comparing.doubt([agent])
        elif isinstance(message, StatusUpdate) and message.agent_info is not None:
            if (agent := self._of(sender, message.agent_id)) is not None:
                self._mirror.told(agent, message.agent_info)
            elif message.agent_id not in self._agents.present:
                self._stranger(sender, message.agent_info)

    def _of(self, sender: str, agent_id: str) -> Agent | None:
        """Return an agent, where it is its own runner that speaks of it."""
        agent = self._agents.present.get(agent_id)
        return agent if agent is not None and agent.row.host == sender and self.runners.reach(agent) else None

    def _stranger(self, sender: str, info: AgentInfo) -> None:
        """Hear of one that lives there, and is none of those that live here."""
        if state_of(info) in ALIVE and info.id not in self._late and len(self._late) < _MOST_LATE:
            self._late.add(info.id)
            self._agents.background.start(self._end_late(sender, info), f"end {info.id}")

    async def _end_late(self, sender: str, info: AgentInfo) -> None:
        """End what started after it was given up; whoever is none of ours at all is left alone."""
        try:
            row = await self._agents.store.agent(info.id)
            if row is None or row.host != sender or row.state not in FINAL:
                return
            _log.warning("agent %s runs on %s, and was given up: it is ended", info.id, sender)
            await self._there.end_stranger(self._agents.of(row))
        finally:
            self._late.discard(info.id)
