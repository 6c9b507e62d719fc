"""Say which room answers what is asked of tasks, state, history and search."""

from __future__ import annotations

from descartes_daemon.assembly import Daemon


def register(daemon: Daemon) -> None:
    """Give every method to its room, which is loaded with the first call."""
    _register_state(daemon)


def begin(daemon: Daemon) -> None:
    """Open, once the daemon serves, what has work that nobody asks for."""


def _register_state(daemon: Daemon) -> None:
    state, reads, acts = daemon.rooms.state, daemon.dispatcher.reads, daemon.dispatcher.acts
    for name in ("get", "query", "transitions"):
        reads(f"state.{name}", state.method(name))
    for name in ("set", "delete"):
        acts(f"state.{name}", state.method(name))
