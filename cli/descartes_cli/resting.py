"""Sessions that have no daemon now."""

from __future__ import annotations

import importlib
from collections.abc import Set as AbstractSet

from descartes_cli.stored import stored_sessions
from descartes_core.ids import short
from descartes_local.home import Home
from descartes_local.json_file import read_json

#: Reads every workspace; its imports are paid only where a session is at rest.
_SESSIONS = "descartes_orchestrator.sessions"


def inactive_sessions(home: Home, others: AbstractSet[str], only: str | None) -> list[tuple[str, str, str, str]]:
    """Return id, name, path and status of all that are known or have a store, but for the others."""
    stored = stored_sessions(home)
    if not {one for one in (*_remembered(home), *stored) if only in (None, one)} - others:
        return []
    known = {session.id: session for session in importlib.import_module(_SESSIONS).known(home)}
    found = []
    for identity in sorted({*known, *stored} - others):
        if only in (None, identity):
            session = known.get(identity)
            if session is None:
                found.append((identity, short(identity), "", "Inactive"))
            else:
                found.append((identity, session.name, str(session.path), session.status.value))
    return found


def _remembered(home: Home) -> set[str]:
    """Return the ids under which workspaces are known, without looking at these."""
    try:
        return set(read_json(home.sessions_file)["known"])
    except (OSError, ValueError, LookupError, TypeError):
        return set()  # what cannot be read tells of none
