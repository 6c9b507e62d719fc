"""Sessions that have no daemon now."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from descartes_cli.stored import stored_sessions
from descartes_core.ids import short
from descartes_local.home import Home
from descartes_orchestrator import sessions


def inactive_sessions(home: Home, others: AbstractSet[str], only: str | None) -> list[tuple[str, str, str, str]]:
    """Return id, name, path and status of all that are known or have a store, but for the others."""
    known = {session.id: session for session in sessions.known(home)}
    found = []
    for identity in sorted({*known, *stored_sessions(home)} - others):
        if only in (None, identity):
            session = known.get(identity)
            if session is None:
                found.append((identity, short(identity), "", "Inactive"))
            else:
                found.append((identity, session.name, str(session.path), session.status.value))
    return found
