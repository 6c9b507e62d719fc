"""Say which room answers what is asked of tasks, state, history and search."""

from __future__ import annotations

from descartes_daemon.assembly import Daemon


def register(daemon: Daemon) -> None:
    """Give every method to its room, which is loaded with the first call."""


def begin(daemon: Daemon) -> None:
    """Open, once the daemon serves, what has work that nobody asks for."""
