"""How the hub tells people of a peer: one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from descartes_core.bus.messages import Peer
from descartes_core.times import written
from descartes_orchestrator.hub.enrolment import Enrolled

#: The words for a link's states (docs/bus.md), as the hub can know them.
_STATES = {"connected": "Connected", "lost": "Reconnecting", "gone": "Disconnected"}


def state_of(told: Peer | None, refusal: str | None) -> str:
    """Return the word for how a peer is: one whose last try was refused has failed."""
    if told is not None and told.state == "connected":
        return "Connected"
    if refusal is not None:
        return "Failed"
    return _STATES[told.state if told is not None else "gone"]


def peer_row(who: Enrolled, told: Peer | None, state: str, labels: Sequence[str]) -> dict[str, Any]:
    """Return what is told of somebody who is enrolled, and perhaps there."""
    return {
        "name": told.name if told else who.name,
        "role": who.role,
        "labels": list(labels),
        "agents": told.agents if told else 0,
        "load": told.load if told else 0.0,
        "last_heard": told.last_heard if told else None,
        "version": told.version if told else "",
        "state": state,
        "since": told.since if told else None,
        "capacity": told.capacity if told else 0,
        "draining": told.is_draining if told else who.is_drained,
        "title": told.title if told else "",
        "key": who.key,
        "enrolled_at": written(who.at),
    }
