"""Agents and units, as tests need them."""

from __future__ import annotations

from typing import Any

from descartes_core.agent_life import Cause, State
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.unit import Unit

#: Any moment will do.
NOW = 1_700_000_000.25


def an_agent(identity: str = "a", **changes: Any) -> AgentRow:
    """Return an agent as it is intended."""
    return AgentRow(
        **{
            "id": identity,
            "name": f"agent {identity}",
            "command": ("sh", "-c", "true"),
            "cwd": "/tmp",
            "rows": 24,
            "cols": 80,
            "grace": 10.0,
            "stop_signal": "SIGTERM",
            "leave": False,
            "umask": 0o022,
            "created_at": NOW,
        }
        | changes
    )


def added(identity: str = "a", **changes: Any) -> Unit:
    """Return a unit that adds an agent."""
    return Unit().add_agent(an_agent(identity, **changes))


def started(identity: str = "a") -> Unit:
    """Return a unit that moves an agent from initializing to running."""
    return Unit().move(identity, State.INITIALIZING, State.RUNNING, Cause.SPAWNED, at=NOW)


def told(event_type: str, agent: str | None = None, kind: str = "AgentEvent", **data: Any) -> Unit:
    """Return a unit that tells one event."""
    return Unit().event(kind, event_type, agent, data, NOW)
