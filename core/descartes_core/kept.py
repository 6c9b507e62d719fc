"""The names under which descriptors are in keeping (systemd's FDNAME: no colon, 255 characters)."""

from __future__ import annotations

from dataclasses import dataclass

#: The listening sockets, in LISTEN_FDNAMES.
HTTP, WS, RPC = "http", "ws", "rpc"
#: Locks on the workspace's .scud and on the session's data directory.
LOCK_WORKSPACE, LOCK_DATA = "lock-workspace", "lock-data"

#: What is kept of an agent: its terminal's master and both ends of its output pipe, or its stdin; its pidfd.
MASTER, PIPE_OUT, PIPE_IN, STDIN, PIDFD = "master", "out", "in", "stdin", "pid"
OF_TERMINALS = (MASTER, PIPE_OUT, PIPE_IN, PIDFD)
OF_STREAMS = (STDIN, PIDFD)
PARTS = tuple(dict.fromkeys(OF_TERMINALS + OF_STREAMS))

#: What our supervisor says to a barrier (systemd says nothing): all before is kept, or why something is not.
ALL_KEPT, NOT_KEPT = "kept", "not kept: "
#: With this status ends who leaves all it has to the next daemon; with this field says why who does not.
HANDED_ON, STAYS = 75, "X_DESCARTES_STAYS"


@dataclass(frozen=True, slots=True)
class AgentPart:
    """One descriptor of one agent."""

    agent: str
    part: str


def agent_name(agent: str, part: str) -> str:
    """Return the name of one descriptor of one agent."""
    return f"agent-{agent}-{part}"


def is_stored(name: str) -> bool:
    """Say whether a descriptor of this name was given by a daemon; the listening sockets are its starter's."""
    return name in (LOCK_WORKSPACE, LOCK_DATA) or agent_part(name) is not None


def agent_part(name: str) -> AgentPart | None:
    """Return which descriptor of which agent a name means, None for others."""
    kind, _, rest = name.partition("-")
    agent, _, part = rest.rpartition("-")
    return AgentPart(agent, part) if kind == "agent" and agent and part in PARTS else None
