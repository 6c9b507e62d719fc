"""List the sessions there are."""

from __future__ import annotations

import click

from descartes_cli import options
from descartes_cli.render import print_json, print_table, printable
from descartes_cli.sessions_show import as_object, print_notes
from descartes_core.ids import short
from descartes_local.home import find_home
from descartes_orchestrator.listing import list_sessions as find_sessions

_HEADS = ("", "ID", "NAME", "STATUS", "PATH")


@click.command("list")
@options.as_json
def list_sessions(as_json: bool) -> None:
    """Search the configured paths for workspaces, and list them with those once used. It starts nothing.

    A star marks the active one. Each can be named by its path, its NAME, or the beginning of its ID.
    """
    home = find_home()
    listing = find_sessions(home)
    told = [as_object(home, session) for session in listing.sessions]
    if as_json:
        errors = [{"path": str(path), "reason": reason} for path, reason in listing.errors]
        print_json({"sessions": told, "errors": errors, "notes": listing.notes})
        return
    rows = [
        (
            "*" if session["is_active"] else "",
            short(session["id"]),
            printable(session["name"]),
            session["status"],
            printable(session["path"]),
        )
        for session in told
    ]
    if rows:
        print_table(_HEADS, rows, coloured=3)
    else:
        click.echo("no workspaces found; descartes sessions create DIR makes one")
    print_notes([f"{session['name']}: {note}" for session in told for note in session["notes"]])
    print_notes([*listing.notes, *(f"{path} was not searched: {reason}" for path, reason in listing.errors)])
