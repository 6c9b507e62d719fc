"""List the sessions there are."""

from __future__ import annotations

import os
from typing import Any

import click

from descartes_cli import options
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, print_table, printable
from descartes_cli.sessions_show import as_object, print_notes
from descartes_core.ids import short
from descartes_core.session_life import State
from descartes_local import registry
from descartes_local.home import find_home
from descartes_orchestrator.listing import list_sessions as find_sessions

_HEADS = ("", "ID", "NAME", "STATUS", "PATH")


_STATES = [state.value.lower() for state in State]

_EXAMPLES = """\b
Examples:
  descartes sessions list
  descartes sessions list -a --name shop
  descartes sessions list --status active --path ~/projects --json
"""


@click.command("list", epilog=_EXAMPLES)
@click.option("-a", "--all", "everything", is_flag=True, help="Archived ones too.")
@click.option("--name", metavar="TEXT", help="Only those with this in their name.")
@click.option("--path", metavar="TEXT", help="Only those with this in their path.")
@click.option("--status", type=click.Choice(_STATES, case_sensitive=False), help="Only those that are so.")
@options.as_json
def list_sessions(everything: bool, name: str | None, path: str | None, status: str | None, as_json: bool) -> None:
    """Search the configured paths for workspaces, and list them with those once used. It starts nothing.

    A star marks the active one. Each can be named by its path, its NAME, or the beginning of its ID. Archived ones are
    left out, unless -a or --status asks for them.
    """
    home = find_home()
    with lasting("searching for workspaces"):
        listing = find_sessions(home)
    active = registry.read(home).active_session_id
    all_of_them = [as_object(home, session, active or "") for session in listing.sessions]
    told = [one for one in all_of_them if _is_wanted(one, everything, name, path, status)]
    if as_json:
        counts = {state.value: sum(one["status"] == state for one in all_of_them) for state in State}
        errors = {str(place): reason for place, reason in listing.errors}
        print_json(
            {
                "sessions": told,
                "active_session_id": active,
                "counts": counts,
                "errors": errors,
                "notes": listing.notes,
            }
        )
        return
    if told:
        print_table(_HEADS, [_row(one) for one in told], coloured=3)
    else:
        click.echo(_nothing(len(all_of_them)))
    print_notes([f"{session['name']}: {note}" for session in told for note in session["notes"]])
    print_notes([*listing.notes, *(f"{place} was not searched: {reason}" for place, reason in listing.errors)])


def _is_wanted(
    session: dict[str, Any], everything: bool, name: str | None, path: str | None, status: str | None
) -> bool:
    if status is not None:
        is_right = session["status"].lower() == status
    else:
        is_right = everything or session["status"] != State.ARCHIVED
    is_named = name is None or name.casefold() in session["name"].casefold()
    return is_right and is_named and (path is None or os.path.expanduser(path) in session["path"])


def _row(session: dict[str, Any]) -> tuple[str, ...]:
    return (
        "*" if session["is_active"] else "",
        short(session["id"]),
        printable(session["name"]),
        session["status"],
        printable(session["path"]),
    )


def _nothing(others: int) -> str:
    if others:
        return f"none of {others} sessions is meant; descartes sessions list -a shows all"
    return "no workspaces found; descartes sessions create DIR makes one"
