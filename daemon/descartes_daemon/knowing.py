"""Say which room answers what is asked of tasks, state, history and search."""

from __future__ import annotations

from descartes_daemon.assembly import Daemon


def register(daemon: Daemon) -> None:
    """Give every method to its room, which is loaded with the first call."""
    _register_state(daemon)
    _register_hooks(daemon)


def begin(daemon: Daemon) -> None:
    """Open, once the daemon serves, what has work that nobody asks for."""
    daemon.background.start(_begin_hooks(daemon), "begin with hooks")


def _register_state(daemon: Daemon) -> None:
    state, reads, acts = daemon.rooms.state, daemon.dispatcher.reads, daemon.dispatcher.acts
    for name in ("get", "query", "transitions"):
        reads(f"state.{name}", state.method(name))
    for name in ("set", "delete"):
        acts(f"state.{name}", state.method(name))


def _register_hooks(daemon: Daemon) -> None:
    hooks, reads, acts = daemon.rooms.hooks, daemon.dispatcher.reads, daemon.dispatcher.acts
    for name in ("list", "deliveries"):
        reads(f"hook.{name}", hooks.method(name))
    for name in ("add", "remove", "retry"):
        acts(f"hook.{name}", hooks.method(name))


async def _begin_hooks(daemon: Daemon) -> None:
    ((has_hooks,),) = await daemon.store.select("has_hooks")
    if has_hooks:
        await daemon.rooms.hooks.open().begin()
