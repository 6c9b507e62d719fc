"""Messages about the daemon itself."""

from __future__ import annotations

from typing import Literal

from descartes_core.messages.bus import BusState, BusStatistics
from descartes_core.messages.common import Change, Grace, Model


class Health(Model):
    """Whether the daemon works: `healthy`, or what is wrong with its store."""

    status: str
    service: Literal["descartes-daemon"]
    version: str
    session_id: str
    instance_id: str
    pid: int
    uptime_secs: float


class Connections(Model):
    """How many are open now, by door."""

    unix: int
    http: int
    websocket: int


class Taken(Model):
    """What agents have taken together (AgentUsage); what nobody could count is left out."""

    cpu_seconds: float
    read_bytes: int
    written_bytes: int


class TakenNow(Taken):
    """What the living take."""

    memory_bytes: int
    processes: int


class TakenByAgents(Model):
    """What the agents of this session take and took."""

    living: TakenNow
    #: All that ever were.
    ended: Taken


class BusCounts(BusStatistics):
    """How this daemon stands to its hub, and what was counted of it."""

    state: BusState
    role: Literal["daemon", "runner"]
    #: Others at the bus that are known here, and outputs that somebody follows by it.
    peers: int
    streams: int


class Stats(Model):
    """Counters of this daemon; all but what is open now only grow."""

    #: Agents in memory by state, and all there ever were in the store.
    agents: dict[str, int]
    agents_total: int
    #: Output of the agents in memory, bytes.
    output_bytes: int
    #: What all outputs take on disk.
    disk_bytes: int
    events: int
    #: Calls at all doors, and how many were refused or failed.
    requests: int
    failures: int
    connections: Connections
    connections_total: int
    #: Listeners of /events, and watchers of terminals, now.
    subscriptions: int
    watchers: int
    #: Typed into agents, bytes.
    input_bytes: int
    #: How each living agent's output is taken: splice, copy, file (no terminal).
    recording: dict[str, str]
    usage: TakenByAgents
    #: Times a listener or watcher missed something (Gap).
    gaps: int
    #: Null: this daemon belongs to no bus.
    bus: BusCounts | None = None
    #: Descriptors open, and the soft limit.
    descriptors: int
    descriptors_limit: int
    memory_bytes: int
    uptime_secs: float


class Metrics(Model):
    """The counters as Prometheus reads them."""

    content_type: str
    text: str


class Shutdown(Change):
    """End this daemon; refused while agents live, unless `force`, which ends them first."""

    force: bool = False
    #: Instead of each agent's own grace.
    grace: Grace | None = None


class ShutDown(Model):
    """The agents that were ended."""

    ended: list[str]
