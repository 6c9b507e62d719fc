"""Whose state is meant."""

from __future__ import annotations

from descartes_core.errors import AgentNotFound
from descartes_daemon.agents import Agents

#: So many ids are remembered.
_MOST_MET = 10_000


class Whose:
    """Finds agents, those among them of which nothing but state is known: they were imported."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        #: Ids that are known to be some: agents are kept for ever, so that nobody looks twice.
        self._met: set[str] = set()

    async def find(self, text: str) -> str:
        """Return the id of the agent that is meant by an id, a unique prefix, or a name.

        Raises:
            AgentNotFound: there is none.
            Ambiguous: there are several.

        """
        if text in self._met:
            return text
        try:
            identity = (await self._agents.find(text)).id
        except AgentNotFound:
            if await self._agents.store.select("state_knows", agent=text):
                return text
            raise
        if len(self._met) >= _MOST_MET:
            self._met.clear()
        self._met.add(identity)
        return identity

    async def maybe(self, text: str | None) -> str | None:
        """Return the id of the agent that is meant; None where all are."""
        return None if text is None else await self.find(text)
