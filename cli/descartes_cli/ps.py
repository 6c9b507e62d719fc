"""List sessions and agents."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.fleet_table import show_fleet
from descartes_cli.session_named import find_session
from descartes_local.home import find_home


@click.command("ps")
@click.option("-a", "--all", "everything", is_flag=True, help="Ended agents and inactive sessions, too.")
@options.session
@options.as_json
def ps(everything: bool, session: str | None, as_json: bool) -> None:
    """List sessions and their agents. It starts nothing, and waits 2 s at most."""
    only = find_session(find_home(), session).id if session else None
    show_fleet(everything=everything, as_json=as_json, only=only)
