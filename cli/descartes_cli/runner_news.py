"""What a runner's events say to the person who lends the machine."""

from __future__ import annotations

import shlex
from typing import Any

from descartes_cli.client import read
from descartes_core.errors import DescartesError
from descartes_core.ids import short

_ENDED = ("completed", "failed", "killed")


def line_of(event: dict[str, Any], socket: str) -> str | None:
    """Return one event as a line; None where it is nobody's concern."""
    word, data = event["event_type"], event["data"]
    told = None
    if event["type"] == "SystemEvent":
        told = _of_the_link(word, data)
    elif word == "spawned":
        command = shlex.join(data["command"])
        told = f"{_agent(event)} begins, for {_owner(event, socket)}: {command[:200]}"
    elif word in _ENDED:
        told = f"{_agent(event)} has ended: {data.get('evidence') or data['status']}"
    elif word in ("paused", "resumed"):
        told = f"{_agent(event)} is {data['status']}"
    return None if told is None else f"{event['timestamp'][:19].replace('T', ' ')}  {told}"


def _of_the_link(word: str, data: dict[str, Any]) -> str | None:
    match word:
        case "bus_connected":
            return f"connected with the hub {data['server_id']} ({data['hub']}) as {data['name']}"
        case "bus_lost":
            return f"the hub is lost ({data['reason']}): agents go on, and it is looked for"
        case "bus_refused":
            return f"the hub refuses this runner: {data['reason']}"
        case "daemon_started":
            return f"its daemon has begun, and goes on with {len(data['adopted'])} agents" if data["adopted"] else None
    return None


def _agent(event: dict[str, Any]) -> str:
    return f"agent {event['data']['name']} ({short(event['agent_id'])})"


def _owner(event: dict[str, Any], socket: str) -> str:
    try:
        agent = read(socket, "agent.get", {"agent_id": event["agent_id"]})["agent"]
    except DescartesError:
        return "somebody"
    return str(agent["owner"] or "this machine")
