"""Tell every key, its value, and where that comes from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from descartes_cli import options
from descartes_cli.render import print_json, print_table, printable
from descartes_cli.session_named import find_session
from descartes_cli.sessions_show import print_notes
from descartes_core.errors import NoWorkspace
from descartes_core.redaction import redact
from descartes_local.config import Examined, every_key, examine, files
from descartes_local.config_pending import pending_changes
from descartes_local.home import Home, find_home
from descartes_orchestrator import sessions

_EXAMPLES = """\b
Examples:
  descartes config show                  of the session around the current directory, else yours
  descartes config show shop --json
  DESCARTES_AGENTS__GRACE=3 descartes config show
"""


@click.command("show", epilog=_EXAMPLES)
@click.argument("session", required=False, shell_complete=options.complete_sessions)
@options.as_json
def show(session: str | None, as_json: bool) -> None:
    """Tell every key, its value, and where that comes from: default, a file, or a variable of the environment.

    What counts for SESSION when it is started next, from here: its id, a unique prefix, its name, or a path. Default:
    the session around the current directory, else what counts for all of yours.
    """
    home = find_home()
    meant = _meant(home, session)
    where: dict[str, Any] = _files_of(meant) if meant else {}
    found = examine(home, **where)
    values = found.values()
    pending = pending_changes(home, meant.id, meant.path).notice if meant and meant.run else ""
    notes = [*found.notes, *([pending] if pending else [])]
    if as_json:
        print_json(_as_object(meant, files(home, **where), found, values, notes))
        return
    rows = [
        (key, printable(json.dumps(_shown(value), ensure_ascii=False)), printable(_origin(found, key)))
        for key, value in values.items()
    ]
    print_table(("KEY", "VALUE", "FROM"), rows)
    print_notes(notes)


def _meant(home: Home, session: str | None) -> sessions.Session | None:
    if session is not None:
        return find_session(home, session)
    try:
        return sessions.at(home, Path.cwd())
    except (NoWorkspace, FileNotFoundError):
        return None


def _files_of(session: sessions.Session) -> dict[str, Any]:
    return {"workspace": session.path, "session_id": session.id, "config_file": sessions.config_of(session)}


def _shown(value: Any) -> Any:
    return redact(value) if isinstance(value, list) else value


def _origin(found: Examined, key: str) -> str:
    section, _, name = key.partition(".")
    return found.origin_of(section, name)


def _as_object(
    session: sessions.Session | None, places: list[Path], found: Examined, values: dict[str, Any], notes: list[str]
) -> dict[str, Any]:
    """Return what --json prints."""
    return {
        "session_id": session.id if session else None,
        "files": [{"path": str(path), "exists": os.path.exists(path)} for path in places],
        "keys": [
            {"key": key, "value": _shown(values[key]), "origin": _origin(found, key)}
            for key in (f"{section}.{name}" for section, name in every_key())
        ],
        "notes": notes,
    }
