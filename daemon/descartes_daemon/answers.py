"""What each method about the session, its events and the daemon itself answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from descartes_core import VERSION
from descartes_core.errors import AgentsAlive
from descartes_core.messages.agents import ListAgents
from descartes_core.messages.common import Nothing, OneAgent
from descartes_core.messages.system import Shutdown
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.asking import Asking
from descartes_daemon.leaving import Leaving
from descartes_daemon.listed import Listed
from descartes_daemon.orphans import Orphans
from descartes_daemon.session_upkeep import Endpoints, Upkeep
from descartes_daemon.usage import look

Reply = dict[str, Any]


class Answers:
    """The methods that look at what is there, and the one that ends the daemon."""

    def __init__(
        self,
        agents: Agents,
        orphans: Orphans,
        upkeep: Upkeep,
        endpoints: Endpoints,
        ask_others: Callable[[list[Agent]], Awaitable[None]],
    ) -> None:
        self._agents = agents
        self._orphans = orphans
        #: Asks other machines what agents there take.
        self._ask_others = ask_others
        self._upkeep = upkeep
        self._endpoints = endpoints
        self._began = time.monotonic()

    def list_agents(self, request: ListAgents) -> Any:
        """agent.list: those alive at once, all from the store, what they take from a look at it."""
        if request.usage:
            return self._list_with_usage(request)
        if request.all:
            return self._list_all()
        return self._list_adopted() if self._orphans.lie_elsewhere else self._list_living()

    def _list_living(self) -> Reply:
        living = [agent.info() for agent in self._agents.living]
        return {"agents": living, "unattributed": self._orphans.unattributed()}

    async def _list_adopted(self) -> Reply:
        await self._orphans.look()
        return self._list_living()

    async def _list_all(self, *, usage: bool = False) -> Reply:
        await self._orphans.look()
        place, before = self._agents.place, dict(self._agents.present)
        listed = await self._agents.store.history(Listed(place.session_id, str(place.agents), usage=usage))
        present = before | self._agents.present  # an end that is stored meanwhile is told, too
        infos = [present[info["id"]].info() if info["id"] in present else info for info in listed]
        return {"agents": infos, "unattributed": self._orphans.unattributed()}

    async def _list_with_usage(self, request: ListAgents) -> Reply:
        usage = await self._usage(list(self._agents.present.values()))
        reply = await (self._list_all(usage=True) if request.all else self._list_adopted())
        for info in reply["agents"]:
            info["usage"] = usage.get(info["id"], info.get("usage"))
        return reply

    async def _usage(self, agents: list[Agent]) -> dict[str, Any]:
        await self._ask_others(agents)
        return {key: usage.as_json() for key, usage in (await asyncio.to_thread(look, agents)).items()}

    async def get_agent(self, request: OneAgent) -> Reply:
        """agent.get: everything, also what it takes now."""
        agent = await self._agents.find(request.agent_id)
        usage = await self._usage([agent])
        return {"agent": {**agent.detail(), "usage": usage.get(agent.id)}}

    def session(self, _request: Nothing) -> Reply:
        """session.info: this daemon's session."""
        record = self._upkeep.record
        return {
            "session": {
                "id": record.id,
                "name": record.name,
                "path": str(self._upkeep.workspace),
                "status": record.status.value,
                "pid": os.getpid(),
                "http_endpoint": self._endpoints.http,
                "ws_endpoint": self._endpoints.ws,
                "started_at": self._upkeep.started_at,
                "instance_id": self._upkeep.instance_id,
                "version": VERSION,
                "agents": len(self._agents.living),
                "notices": [*self._upkeep.notices, *self._upkeep.pending(), *self._agents.keeping.troubles],
            }
        }

    def health(self, _request: Nothing) -> Any:
        """system.health: at once where the store was seen to work a moment ago, else from a look at it."""
        known = self._agents.store.health()
        return self._look() if known is None else self._health(known)

    async def _look(self) -> Reply:
        return self._health(await self._agents.store.healthy())

    def _health(self, status: str) -> Reply:
        return {
            "status": status,
            "service": "descartes-daemon",
            "version": VERSION,
            "session_id": self._upkeep.record.id,
            "instance_id": self._upkeep.instance_id,
            "pid": os.getpid(),
            "uptime_secs": round(time.monotonic() - self._began, 3),
        }


class Ending:
    """system.shutdown: the daemon's orderly end."""

    def __init__(self, agents: Agents, leaving: Leaving, stop: asyncio.Event) -> None:
        self._agents = agents
        self._leaving = leaving
        self._stop = stop

    async def shutdown(self, request: Shutdown, asking: Asking) -> Reply:
        """End, with the agents where that is forced."""
        living = self._agents.living
        if living and not request.force:
            names = ", ".join(agent.row.name for agent in living[:5]) + (", …" if len(living) > 5 else "")
            raise AgentsAlive(f"agents are alive ({names}): end them first, or use --force")
        self._leaving.why = f"the session ends, {asking.evidence}"
        await self._leaving.end_all(request.grace)
        asking.afterwards.append(self._stop.set)
        return {"ended": [agent.id for agent in living if agent.gone.is_set()]}
