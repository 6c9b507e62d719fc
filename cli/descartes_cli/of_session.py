"""Ask the daemon of the session that a person means, started where it is not there."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli import options
from descartes_cli.client import change, read
from descartes_cli.session_named import around
from descartes_local.home import find_home
from descartes_orchestrator import sessions

_TIMEOUT = 60.0

session = click.option(
    "-s",
    "--session",
    metavar="SESSION",
    shell_complete=options.complete_sessions,
    help="Of this session: id, prefix, name or path; default: the one around the current directory, or the active one.",
)


def ask_session(named: str | None, method: str, params: dict[str, Any]) -> Any:
    """Return what the session's daemon answers to what changes nothing."""
    return read(_socket(named), method, params, timeout=_TIMEOUT)


def change_session(named: str | None, method: str, params: dict[str, Any]) -> Any:
    """Return what the session's daemon answers to what changes something."""
    return change(_socket(named), method, params, timeout=_TIMEOUT)


def _socket(named: str | None) -> str:
    home = find_home()
    return str(sessions.start(home, around(home, named, "-s SESSION"))["socket"])
