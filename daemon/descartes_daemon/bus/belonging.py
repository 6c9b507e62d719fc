"""Who may see which agents: clients a session's, and of a runner's each daemon its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from descartes_core.bus.messages import Peer, Role
from descartes_core.errors import AgentNotFound, Forbidden
from descartes_core.ids import is_id
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.dispatch import Peer as Asker


class Belonging:
    """Finds agents for whoever asks by the bus."""

    def __init__(self, agents: Agents, role: Role, peer: Callable[[str], Peer | None]) -> None:
        self._agents = agents
        self._peer = peer
        #: Whether each daemon has agents of its own here.
        self.is_runner = role == "runner"

    def asker(self, name: str) -> Asker:
        """Return on whose behalf something is done here.

        Raises:
            Forbidden: this peer may ask for nothing here.

        """
        # The hub gives a daemon its session's id behind a slash and a client its number behind a #, and lets nobody be
        # enrolled with either: a runner whose coming this daemon has not heard of is not taken for a client.
        peer = self._peer(name)
        is_daemon = "/" in name if peer is None else peer.role == "daemon"
        is_client = "/" not in name and "#" in name if peer is None else peer.role == "client"
        if not name or not (is_daemon if self.is_runner else is_client):
            whom = "a runner does what daemons ask" if self.is_runner else "a daemon does what clients ask"
            raise Forbidden(f"{whom}: {name or 'the hub'} may not")
        return Asker(name, name if self.is_runner else None)

    def at_once(self, name: str, agent_id: str) -> Agent | None:
        """Return an agent that is in memory and may be seen by this peer, named by its whole id."""
        agent = self._agents.present.get(agent_id)
        return agent if agent is not None and self.may_see(name, agent) else None

    async def find(self, name: str, agent_id: str) -> Agent:
        """Return an agent that this peer may see; a runner's by its whole id only, a session's as people name it.

        Raises:
            AgentNotFound: there is none for it.
            Ambiguous: there are several.

        """
        agent = None if self.is_runner and not is_id(agent_id) else await self._agents.find(agent_id)
        if agent is None or not self.may_see(name, agent):
            raise AgentNotFound(f"no agent is called {agent_id[:100]!r}")
        return agent

    def may_see(self, name: str, agent: Agent) -> bool:
        """Say whether an agent is one that this peer may see."""
        return not self.is_runner or agent.row.owner == name

    async def every(self, name: str) -> Sequence[Agent]:
        """Return all that this peer may see, ended ones too, oldest first."""
        present = dict(self._agents.present)
        rows = await self._agents.store.agents()
        every = [present.get(row.id) or self._agents.ended(row) for row in rows]
        return [agent for agent in every if self.may_see(name, agent)]
