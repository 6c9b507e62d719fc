"""One daemon as a member of one bus: everything it does there, put together."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from descartes_core import VERSION
from descartes_core.bus.messages import PROTOCOL_VERSION, Hello, Peer
from descartes_core.times import written
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.bus.belonging import Belonging
from descartes_daemon.bus.channels import Channels
from descartes_daemon.bus.commands import Commands
from descartes_daemon.bus.dealer import Bus
from descartes_daemon.bus.reports import Reports
from descartes_daemon.bus.serving import Serving
from descartes_daemon.bus.spawns import WORK
from descartes_daemon.bus.streams import Streams
from descartes_daemon.dispatch import Dispatcher
from descartes_daemon.effects import Effects
from descartes_local.bus_file import BusFile, Keys

#: Seconds between heartbeats of a daemon that has nothing on any runner.
_AT_REST = 20.0

Reply = dict[str, Any]


class Membership:
    """Asks, answers, streams and reports; `bus` is what others of this daemon ask by."""

    def __init__(
        self,
        told: BusFile,
        keys: Keys,
        *,
        title: str,
        generation: int,
        capacity: int,
        agents: Agents,
        dispatcher: Dispatcher,
        effects: Effects,
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        self.told = told
        self._agents = agents
        is_runner = told.role == "runner"
        hello = Hello(
            protocol_version=PROTOCOL_VERSION,
            role="runner" if is_runner else "daemon",
            name=told.name if is_runner else f"{told.name}/{agents.place.session_id}",
            generation=generation,
            version=VERSION,
            title="" if is_runner else title,
            labels=told.labels,
            capacity=capacity if is_runner else 0,
        )
        self.bus = Bus(hello, told, keys)
        self.bus.doing = self._doing
        if not is_runner:
            self.bus.link.set_pace(_AT_REST, time.monotonic())
        belonging = Belonging(agents, hello.role, lambda name: self.bus.peers.get(name))
        self.channels = Channels(agents.store)
        self.streams = Streams(self.bus)
        commands = Commands(dispatcher, effects, self.channels, forget)
        self.serving = Serving(self.bus, agents, dispatcher, belonging, commands, self.streams)
        self.reports = Reports(self.bus, agents, belonging)

    def changed(self, agent: Agent) -> None:
        """Take note that an agent is not as it was."""
        self.reports.changed(agent)
        if agent.id not in self._agents.present:
            self.channels.forget(agent)
            self._tidy(agent)

    def _tidy(self, agent: Agent) -> None:
        """Remove the directory that was made for an agent, where it left it empty."""
        made = os.path.join(self._agents.place.workspace, WORK, agent.id)
        if agent.row.cwd == made and not agent.row.leave:
            with contextlib.suppress(OSError):
                os.rmdir(made)

    def settle(self) -> None:
        """Leave to the next daemon what it goes on with, which nobody else is told of."""
        self.channels.settle(self._agents.present)
        self.bus.says_goodbye = False

    def close(self) -> None:
        """Do nothing more."""
        self.reports.close()
        self.streams.close()

    def drain(self, *, is_draining: bool) -> None:
        """Start nothing more, or again, and tell the hub."""
        self.serving.spawns.is_draining = is_draining
        self.bus.look_again()

    def _doing(self) -> dict[str, Any]:
        if self.told.role != "runner":
            return {}
        return {
            "agents": len(self._agents.living),
            "load": round(os.getloadavg()[0] / (os.cpu_count() or 1), 3),
            "is_draining": self.serving.spawns.is_draining,
        }

    def status(self) -> Reply:
        """Return how it stands (messages.bus.BusStatus)."""
        link, me = self.bus.link, self.bus.link.me
        return {
            "state": link.state.value,
            "since": _at(link.since),
            "failure": link.failure,
            "role": me.role,
            "name": me.name,
            "hub": self.told.hub,
            "server_id": None if link.welcome is None else link.welcome.server_id,
            "labels": list(me.labels),
            "capacity": me.capacity,
            "is_draining": self.serving.spawns.is_draining,
            "peers": [_peer(peer) for peer in link.peers.values()],
            "statistics": self.statistics(),
        }

    def statistics(self) -> Reply:
        """Return what was counted (messages.bus.BusStatistics)."""
        counted = asdict(self.bus.link.statistics)
        del counted["welcomes"]
        since = counted["connected_since"]
        return {**counted, "connected_since": None if since is None else _at(since)}


def _at(moment: float) -> str:
    return written(time.time() - (time.monotonic() - moment))


def _peer(peer: Peer) -> Reply:
    return {**peer.model_dump(exclude={"generation", "updates"}), "labels": list(peer.labels)}
