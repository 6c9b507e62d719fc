"""Delete a session, after having asked where something would be lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from descartes_cli import options
from descartes_cli.consent import ask_consent
from descartes_cli.progress import lasting
from descartes_cli.render import print_json, printable
from descartes_cli.session_named import find_session
from descartes_core.errors import Refused
from descartes_local.home import Home, find_home
from descartes_orchestrator import deletion
from descartes_orchestrator.sessions import Session

_EXAMPLES = """\b
Examples:
  descartes sessions delete shop                      # forget it; every file stays
  descartes sessions delete ~/projects/shop --files   # the whole directory too; it asks first
  descartes sessions delete shop --files --data --yes # and what its agents said
"""


@click.command("delete", epilog=_EXAMPLES)
@click.argument("session", shell_complete=options.complete_sessions)
@click.option("--files", is_flag=True, help="Remove the workspace's whole directory too.")
@click.option("--data", is_flag=True, help="Remove the history of its agents and their output too.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@options.as_json
def delete(session: str, files: bool, data: bool, yes: bool, as_json: bool) -> None:
    """Stop a session and forget it: its .scud/session.json is removed. All other files, and its history, stay.

    It is refused while agents live. With --files the workspace's directory goes too, with everything in it; it asks
    first, and refuses what is no workspace, a link, your home or what it lies in, and places where a file system is
    mounted or another session lives. A deletion that was killed is finished by the same command.
    """
    home = find_home()
    begun = deletion.begun(home, session)
    if begun is not None:
        with lasting(f"removing {printable(begun.trash)}"):
            deletion.go_on(home, begun)
        _tell({"id": begun.session_id, "path": begun.path, "files_removed": True, "data": None}, as_json)
        return
    found = find_session(home, session)
    _refuse_vague(found, session)
    with lasting(f"looking through {printable(str(found.path))}"):
        wanted = deletion.plan(home, found, files=files, data=data)
    if (files or data) and not yes:
        _ask(home, wanted)
    with lasting(f"deleting {printable(found.name)}"):
        deletion.carry_out(home, wanted)
    where = home.session(found.id)
    kept = str(where) if where.exists() and not found.is_copy else None
    _tell({"id": found.id, "path": str(found.path), "files_removed": files, "data": kept}, as_json)


def _tell(deleted: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(deleted)
        return
    if deleted["files_removed"]:
        click.echo(f"{printable(deleted['path'])} is removed")
    else:
        click.echo(f"{printable(deleted['path'])} is forgotten; its files are where they were")
    if deleted["data"]:
        click.echo(f"its history stays in {printable(deleted['data'])}", err=True)


def _ask(home: Home, wanted: deletion.Plan) -> None:
    """Ask the person at the terminal.

    Raises:
        Refused: there is none, or they said no.

    """
    parts = [f"all of {printable(str(wanted.session.path))}"] if wanted.files else []
    if wanted.inner:
        names = ", ".join(printable(path.name) for path in wanted.inner[:5])
        parts.append(f"{len(wanted.inner)} workspaces within it ({names})")
    if wanted.data:
        parts.append(f"its agents' history in {home.session(wanted.session.id)}")
    what = " and ".join(parts)
    ask_consent(f"this removes {what}", f"Remove {what}, for ever?", otherwise="nothing is removed")


def _refuse_vague(session: Session, text: str) -> None:
    """Refuse a link to a workspace, and what lies within one: neither says clearly what is to go.

    Raises:
        Refused: it is one of these.

    """
    place = Path(os.path.expanduser(text))
    is_name = text == session.name or (len(text) >= 4 and session.id.startswith(text.lower()))
    try:
        is_itself = os.path.samefile(place, session.path)
    except (OSError, ValueError):  # it is no path, or gone by now
        return
    if is_itself and place.is_symlink():
        raise Refused(f"{place} is a link: name {session.path} itself")
    if not is_itself and not is_name:
        raise Refused(f"{place} lies within the workspace {session.path}: name that one")
