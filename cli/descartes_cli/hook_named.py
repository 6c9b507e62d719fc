"""Which hook, of which session, a person means."""

from __future__ import annotations

from typing import Any

import click

from descartes_cli.session_named import around
from descartes_local.home import Home
from descartes_orchestrator import sessions


def complete_hooks(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Return what a HOOK may be, for a shell that asks."""
    from descartes_cli import completing  # only a shell that completes pays for it

    return list(completing.hooks(context, parameter, incomplete))


hook_argument = click.argument("hook", metavar="HOOK", shell_complete=complete_hooks)
optional_hook = click.argument("hook", metavar="[HOOK]", required=False, shell_complete=complete_hooks)


def socket_of(home: Home, session: str | None) -> str:
    """Return where the session's daemon listens; it is started where it does not run.

    Raises:
        SessionNotFound, NoWorkspace: there is no such session, or none is named.

    """
    found = around(home, session, "-s SESSION")
    return str(sessions.start(home, found)["socket"])
