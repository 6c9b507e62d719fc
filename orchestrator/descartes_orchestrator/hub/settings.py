"""The hub's numbers, of the configuration and of this start."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from descartes_core.ids import fitting_name, new_id
from descartes_local.config import load
from descartes_local.home import Home


@dataclass(frozen=True, slots=True)
class Settings:
    """All times are seconds."""

    endpoint: str
    server_id: str
    max_agents: int
    status_update_interval_secs: float
    enable_status_updates: bool
    heartbeat_secs: float
    misses: int
    #: Another one at each start.
    instance_id: str


def read_settings(home: Home) -> Settings:
    """Return the settings.

    Raises:
        ConfigInvalid: the configuration is wrong.

    """
    told = load(home).hub
    return Settings(
        endpoint=told.endpoint,
        server_id=told.server_id or host_name(),
        max_agents=told.max_agents,
        status_update_interval_secs=told.status_update_interval_secs,
        enable_status_updates=told.enable_status_updates,
        heartbeat_secs=told.heartbeat_secs,
        misses=told.misses,
        instance_id=new_id(),
    )


def host_name() -> str:
    """Return what this machine is called, as a name among peers."""
    return fitting_name(socket.gethostname().partition(".")[0] or "hub")
