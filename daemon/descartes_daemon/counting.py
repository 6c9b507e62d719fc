"""system.stats and system.metrics: every counter, looked up when somebody asks."""

from __future__ import annotations

import asyncio
import importlib
import os
import resource
import time
from collections.abc import Callable
from typing import Any

from descartes_core.messages.common import Nothing
from descartes_core.usage import total
from descartes_daemon.agents import Agents
from descartes_daemon.counts import Counts, OpenNow
from descartes_daemon.dispatch import Dispatcher
from descartes_daemon.feed import Feed
from descartes_daemon.usage import look
from descartes_local.descriptors import limit_of_descriptors, open_descriptors
from descartes_local.disk_use import taken_by

Reply = dict[str, Any]


class Counting:
    """Puts together what the parts have counted."""

    def __init__(self, agents: Agents, feed: Feed, dispatcher: Dispatcher, counts: Counts, now: OpenNow) -> None:
        self._agents, self._feed, self._dispatcher = agents, feed, dispatcher
        self._counts, self._now = counts, now
        self._began = time.monotonic()
        #: What the bus has counted; None where this daemon belongs to none.
        self.bus: Callable[[], Reply | None] = lambda: None
        #: Times this session's daemon was started, this time among them.
        self.starts = 1

    async def stats(self, _request: Nothing) -> Reply:
        """system.stats: what is counted."""
        return await self._stats()

    async def metrics(self, _request: Nothing) -> Reply:
        """system.metrics: the same and more, as Prometheus reads it."""
        stats = await self._stats()
        # In a thread, and only here: importing the library takes a moment that a start must not pay.
        text = await asyncio.to_thread(_exposed, stats, self._counts, self._agents.store.commits, self.starts)
        return {"content_type": "text/plain; version=0.0.4; charset=utf-8", "text": text}

    async def _stats(self) -> Reply:
        present = list(self._agents.present.values())
        totals = await self._agents.store.totals()
        looks = await asyncio.to_thread(look, self._agents.living)
        now = self._now
        return {
            "agents": {state.value: count for state, count in self._agents.by_state().items()},
            "agents_total": totals["agents"],
            "output_bytes": sum(log.size for agent in present for log in agent.logs),
            "disk_bytes": await asyncio.to_thread(taken_by, self._agents.place.data / "agents"),
            "events": self._feed.last_seq,
            "requests": self._dispatcher.requests,
            "failures": self._counts.failures.total(),
            "connections": {"unix": now.unix(), "http": now.http(), "websocket": now.websocket()},
            "connections_total": now.unix_total() + now.tcp_total(),
            "subscriptions": now.subscriptions(),
            "watchers": sum(len(agent.listeners) for agent in present),
            "input_bytes": totals["input_bytes"],
            "recording": {agent.id: agent.recording for agent in present},
            "usage": {
                "living": total(looks.values()),
                "ended": await self._agents.store.usage_of_ended(),
            },
            "gaps": self._counts.gaps,
            "bus": self.bus(),
            "descriptors": open_descriptors() or 0,
            "descriptors_limit": limit_of_descriptors(),
            "memory_bytes": _memory(),
            "uptime_secs": round(time.monotonic() - self._began, 3),
        }


def _exposed(stats: Reply, counts: Counts, commits: int, starts: int) -> str:
    exposition = importlib.import_module("descartes_daemon.exposition")
    return str(exposition.text_of(stats, counts, commits, starts))


def _memory() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes, and the most there ever were
