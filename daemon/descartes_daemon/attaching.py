"""Let connections attach to agents: whom, as who, and how many."""

from __future__ import annotations

from descartes_core.errors import InvalidParams, LimitReached, NotHere
from descartes_core.messages.terminals import Attach
from descartes_daemon.agents import Agents
from descartes_daemon.attachment import Attachment, House
from descartes_daemon.comings import Comings
from descartes_daemon.screens import Screens


class Attaching:
    """Makes attachments, for every door that has terminals."""

    def __init__(self, agents: Agents, screens: Screens, *, most: int) -> None:
        self.background = agents.background
        self._agents = agents
        self._house = House(agents, screens, Comings(agents.store))
        self._most = most

    async def attach(self, request: Attach, connection: str, *, tells_taken: bool = True) -> Attachment:
        """Return an attachment; it counts as a watcher until it is closed, and shows nothing before it begins.

        Args:
            request: to which agent, and how.
            connection: where it came from, as the daemon itself knows it.
            tells_taken: whether it is told how much of what it typed has arrived.

        Raises:
            AgentNotFound, Ambiguous: there is no such agent.
            NotHere: it has no terminal.
            InvalidParams: the offset lies beyond its output.
            LimitReached: too many watch it already.

        """
        agent = await self._agents.find(request.agent_id)
        if not agent.row.tty:
            raise NotHere(f"agent {agent.called} has no terminal: use logs -f and send")
        if request.offset is not None and request.offset > agent.log.size:
            raise InvalidParams(f"offset {request.offset} lies beyond the {agent.log.size} bytes there are")
        if len(agent.listeners) >= self._most:
            raise LimitReached(
                f"{self._most} watch {agent.called} already, which is the limit (terminals.max_watchers)"
            )
        # What a client calls itself is never told without where it came from.
        client = connection if request.client is None else f"{request.client} ({connection})"
        return Attachment(self._house, agent, request, client, tells_taken=tells_taken)
