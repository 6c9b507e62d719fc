"""Find the session a person means."""

from __future__ import annotations

import importlib
from pathlib import Path

from descartes_core.errors import NoWorkspace, SessionNotFound
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


def around(home: Home, text: str | None, how: str) -> Session:
    """Return the session that is named, else that around the current directory, else the active one.

    Raises:
        SessionNotFound, NoWorkspace: there is none; `how` says how to name one.
        Ambiguous: there are several.

    """
    if text:
        return find_session(home, text)
    try:
        return sessions.at(home, Path.cwd())
    except (NoWorkspace, FileNotFoundError):
        active = sessions.active(home)
    if active is None:
        raise NoWorkspace(
            f"no workspace around the current directory and no active session: name one ({how}), "
            "or descartes sessions create ."
        )
    return active
