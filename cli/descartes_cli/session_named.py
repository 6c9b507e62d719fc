"""Find the session a person means."""

from __future__ import annotations

import importlib

from descartes_core.errors import SessionNotFound
from descartes_core.ids import Named, resolve
from descartes_local.home import Home
from descartes_orchestrator import sessions
from descartes_orchestrator.identity import Session

#: Searches the configured paths, and so reads the configuration: loaded only when what is known is not enough.
_LISTING = "descartes_orchestrator.listing"


def find_session(home: Home, text: str) -> Session:
    """Return the session meant by a path, id, prefix or name: of those once used, else of all that `list` shows.

    Raises:
        SessionNotFound, NoWorkspace: there is none.
        Ambiguous: there are several.

    """
    try:
        return sessions.resolve(home, text)
    except SessionNotFound as error:
        found: list[Session] = importlib.import_module(_LISTING).list_sessions(home).sessions
        try:
            identity = resolve(text, [Named(session.id, session.name) for session in found], SessionNotFound)
        except SessionNotFound:
            raise error from None
    return next(session for session in found if session.id == identity)
