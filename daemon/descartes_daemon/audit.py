"""What agent.audit answers: who typed into an agent, when and how much."""

from __future__ import annotations

from typing import Any

from descartes_core.messages.agents import ReadAudit
from descartes_core.times import written
from descartes_daemon.agents import Agents


class Audits:
    """Reads what was noted of typing; never what was typed, which nobody noted."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def audit(self, request: ReadAudit) -> dict[str, Any]:
        """Return the newest notes, oldest first, and what they come to in all."""
        agent = await self._agents.find(request.agent_id)
        store = self._agents.store
        inputs = await store.inputs(agent.id, request.limit)
        count, typed = await store.inputs_in_all(agent.id)
        told = [{"at": written(at), "client": client, "length": length} for at, client, length in inputs]
        return {"inputs": told, "count": count, "bytes": typed}
