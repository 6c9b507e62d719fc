"""What is decided before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from descartes_core.session_record import SessionRecord
from descartes_local.config import Settings
from descartes_local.home import Home


@dataclass(frozen=True, slots=True)
class Setup:
    """All that is decided before anything runs."""

    home: Home
    workspace: Path
    record: SessionRecord
    settings: Settings
    http_port: int
    ws_port: int
    #: Descriptors handed over, by name.
    inherited: Mapping[str, int]
    #: Who started us, and who keeps.
    notify_socket: str | None
    supervisor: str | None
    #: How many descriptors systemd keeps for this service.
    fd_store: int
    #: The soft descriptor limit that agents are given back.
    soft_nofile: int | None
    #: The one configuration file that was named.
    config_file: Path | None = None
    #: The daemon before us that hung: its pid, and for how many seconds.
    hung: tuple[int, float] | None = None
    #: Writes down with what configuration we began, once the session is ours.
    note_start: Callable[[], None] = lambda: None
