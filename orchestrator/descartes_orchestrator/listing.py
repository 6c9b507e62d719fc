"""All sessions: those on disk and those once used."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from descartes_core.errors import NoWorkspace
from descartes_local import registry
from descartes_local.config import Settings, load
from descartes_local.home import Home
from descartes_orchestrator.discovery import find
from descartes_orchestrator.identity import Session, rival_note, session_of
from descartes_orchestrator.removal import left_of
from descartes_orchestrator.rivals import remember_copies
from descartes_orchestrator.sessions import in_order, known


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is."""

    #: By name.
    sessions: list[Session]
    #: What could not be looked into, and why; by path.
    errors: list[tuple[Path, str]]
    #: What a person should know besides.
    notes: list[str]


def list_sessions(home: Home, settings: Settings | None = None) -> Listing:
    """Search the configured paths and return every session found there or known; no daemon is started or asked.

    Raises:
        ConfigInvalid: the configuration is wrong.

    """
    settings = settings or load(home)
    roots = [Path(os.path.expanduser(path)) for path in settings.discovery.search_paths]
    found = find(roots, settings.discovery.max_depth, home=home)
    sessions = {session.path: session for session in known(home)}
    errors, remembered = found.errors, registry.read(home)
    for workspace in found.workspaces:
        if workspace not in sessions:
            try:
                sessions[workspace] = session_of(home, workspace, remembered)
            except NoWorkspace as error:  # it vanished while we looked
                errors.append((workspace, error.message))
    note = remembered.note
    return Listing(
        in_order(_with_copies(home, _without_ghosts(list(sessions.values())))),
        [(path, reason) for path, reason in errors if _is_worth_telling(path, settings)],
        [*([note] if note else []), *_left(home)],
    )


def _is_worth_telling(path: Path, settings: Settings) -> bool:
    # That a default search path is not there says nothing of what the person did.
    defaults = "search_paths" not in settings.discovery.model_fields_set
    return not (defaults and not os.path.lexists(path))


def _without_ghosts(sessions: list[Session]) -> list[Session]:
    """Leave out where a moved workspace was known to be."""
    there = {session.id for session in sessions if os.path.exists(session.path)}
    return [session for session in sessions if os.path.exists(session.path) or session.id not in there]


def _with_copies(home: Home, sessions: Iterable[Session]) -> list[Session]:
    """Tell each of several workspaces with one id of another, and remember them, so that none is started."""
    by_id: defaultdict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        by_id[session.id].append(session)
    told: list[Session] = []
    for identity, same in by_id.items():
        places = [session.path for session in same if os.path.exists(session.path)]
        if len(places) > 1:
            remember_copies(home, identity, places)
        told += [_with_rival(session, places) for session in same]
    return told


def _with_rival(session: Session, places: list[Path]) -> Session:
    others = [place for place in places if place != session.path]
    if not others or session.rival is not None:
        return session
    return replace(session, rival=others[0], notes=(*session.notes, rival_note(others[0], others[0])))


def _left(home: Home) -> list[str]:
    return [
        f"{one.trash} is left of {one.path}: `descartes sessions delete {quote(one.path)}` removes the rest"
        for one in left_of(home)
    ]
