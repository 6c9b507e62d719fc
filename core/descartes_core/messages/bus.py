"""Messages about the bus that a daemon belongs to."""

from __future__ import annotations

from typing import Literal

from descartes_core.messages.common import Change, Model

BusState = Literal["None", "Disconnected", "Connecting", "Connected", "Reconnecting", "Failed"]


class BusPeer(Model):
    """Somebody at the bus, as the hub told last."""

    name: str
    role: Literal["client", "daemon", "runner"]
    state: Literal["connected", "lost", "gone"]
    #: Its CURVE public key (Z85).
    key: str
    since: str
    last_heard: str | None
    version: str
    title: str
    labels: list[str]
    #: The most agents a runner takes, and how many it has; 0: it does not say.
    capacity: int
    agents: int
    load: float
    is_draining: bool


class BusStatistics(Model):
    """What went to the hub and came from it, since this daemon looked for one."""

    messages_sent: int
    messages_received: int
    bytes_sent: int
    bytes_received: int
    #: What was no message, and what meant nothing when it came.
    errors: int
    dropped: int
    reconnections: int
    connected_since: str | None


class BusStatus(Model):
    """How this daemon stands to its hub."""

    #: None: it belongs to no bus.
    state: BusState
    since: str | None
    #: Why it is not connected, where that is known.
    failure: str | None
    role: Literal["daemon", "runner"] | None
    #: As others call it.
    name: str | None
    hub: str | None
    server_id: str | None
    labels: list[str]
    capacity: int
    #: Whether it starts nothing more for others.
    is_draining: bool
    peers: list[BusPeer]
    statistics: BusStatistics | None


class ConnectBus(Change):
    """Look again which bus this daemon belongs to (`bus.json`), and connect with its hub now."""


class DrainBus(Change):
    """Let a runner start nothing more, or again; what runs goes on."""

    is_draining: bool = True
