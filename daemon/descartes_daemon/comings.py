"""Tell who attaches to an agent and who lets go, but no flood of it."""

from __future__ import annotations

import time

from descartes_daemon.agent import Agent
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit

#: So many are told at once, and then one more for each of these seconds; the next one tells how many were not.
BURST, EVERY = 30, 1.0


class Comings:
    """Stores `attach_connected` and `attach_disconnected`, of all agents of a session together."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left = float(BURST)
        self._at = time.monotonic()
        self._untold = 0

    def came(self, agent: Agent, client: str, mode: str) -> None:
        """Tell that somebody has attached."""
        self._tell("attach_connected", agent, client, mode)

    def went(self, agent: Agent, client: str, mode: str) -> None:
        """Tell that somebody has let go."""
        self._tell("attach_disconnected", agent, client, mode)

    def _tell(self, event_type: str, agent: Agent, client: str, mode: str) -> None:
        now = time.monotonic()
        self._left, self._at = min(BURST, self._left + (now - self._at) / EVERY), now
        if self._left < 1:
            self._untold += 1
            return
        self._left -= 1
        about = {"name": agent.row.name, "client": client, "mode": mode, "watchers": len(agent.listeners)}
        untold, self._untold = self._untold, 0
        unit = Unit().event("AgentEvent", event_type, agent.id, {**about, "untold": untold}, time.time())
        self._store.enqueue(unit)
