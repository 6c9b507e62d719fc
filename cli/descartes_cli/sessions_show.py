"""Tell all about one session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from descartes_cli import options
from descartes_cli.render import print_json, printable
from descartes_cli.session_named import find_session
from descartes_core.ids import short
from descartes_local import registry
from descartes_local.config_pending import pending_changes
from descartes_local.config_quick import complaint_about
from descartes_local.home import Home, find_home
from descartes_orchestrator.sessions import Session, config_of

_EXAMPLES = """\b
Examples:
  descartes sessions show
  descartes sessions show shop --json
"""


@click.command("show", epilog=_EXAMPLES)
@click.argument("session", required=False, shell_complete=options.complete_sessions)
@options.as_json
def show(session: str | None, as_json: bool) -> None:
    """Tell all about one session; default: the one around the current directory. It starts nothing."""
    home = find_home()
    told = as_object(home, find_session(home, session or "."))
    if as_json:
        print_json(told)
        return
    for key, value in told.items():
        if key != "notes":
            click.echo(f"{key:<14} {'-' if value is None else printable(str(value))}")
    print_notes(told["notes"])


def as_object(home: Home, session: Session, active: str | None = None) -> dict[str, Any]:
    """Return a session as the session verbs print it; who prints many has looked once which is the active one."""
    run = session.run
    active = active if active is not None else registry.read(home).active_session_id
    return {
        "id": session.id,
        "name": session.name,
        "path": str(session.path),
        "status": session.status.value,
        "pid": run.pid if run else None,
        "http_endpoint": run.http_endpoint if run else None,
        "ws_endpoint": run.ws_endpoint if run else None,
        "started_at": run.started_at if run else None,
        "created_at": session.record.created_at,
        "last_accessed": session.record.last_accessed,
        "is_active": active == session.id,
        "data": str(home.session(session.id)),
        "rival": str(session.rival) if session.rival else None,
        "notes": [*session.notes, *filter(None, _about_configuration(home, session))],
    }


def print_changed(
    home: Home,
    session: Session,
    became: str,
    as_json: bool,
    *,
    answer: dict[str, Any] | None = None,
    ended: list[str] | None = None,
) -> None:
    """Print what became of a session.

    Args:
        home: Whose.
        session: As it is now.
        became: What a person reads beside its name.
        as_json: Whether a program reads it: then the session's whole object.
        answer: What it reads instead.
        ended: The agents that were ended, where it may be some.

    """
    if as_json:
        about = as_object(home, session) if answer is None else answer
        print_json(about if ended is None else {**about, "ended": ended})
        return
    agents = f", agents ended: {', '.join(map(short, ended))}" if ended else ""
    click.echo(f"{printable(session.name)}  {became}{agents}")
    print_notes(list(session.notes))


def _about_configuration(home: Home, session: Session) -> Iterator[str]:
    """Tell what is wrong with it, and what will be otherwise after the next start."""
    yield complaint_about(home, workspace=session.path, session_id=session.id, config_file=config_of(session))
    if session.run is not None:
        yield pending_changes(home, session.id, session.path).notice


def print_notes(notes: list[str]) -> None:
    """Print what a person should know."""
    for note in notes:
        click.echo(f"descartes: {printable(note)}", err=True)
