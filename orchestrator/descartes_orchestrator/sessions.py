"""Sessions: by path, id or name; start them, stop them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from descartes_core.errors import Conflict, DaemonStartFailed, Locked, NoWorkspace, SessionNotFound, Unavailable
from descartes_core.ids import Named
from descartes_core.ids import resolve as resolve_name
from descartes_core.session_life import Cause, State
from descartes_local import registry, supervisor_client
from descartes_local.config_quick import refuse_wrong
from descartes_local.home import Home
from descartes_local.lock_holder import holder_of
from descartes_local.locks import lock_directory
from descartes_local.run_file import read_run_files
from descartes_orchestrator.archiving import archive as archive
from descartes_orchestrator.archiving import unarchive as unarchive
from descartes_orchestrator.claim import moved
from descartes_orchestrator.creation import create as create
from descartes_orchestrator.discovery import has_config, is_workspace
from descartes_orchestrator.identity import Session as Session
from descartes_orchestrator.identity import (
    effective,
    fresh_record,
    living_run,
    refuse_rivals,
    session_of,
    workspace_around,
)
from descartes_orchestrator.places import adopt as adopt
from descartes_orchestrator.places import relocate as relocate
from descartes_orchestrator.renaming import rename as rename
from descartes_orchestrator.rivals import copy_beside, remember_copies
from descartes_orchestrator.stopping import stop as stop
from descartes_orchestrator.stopping import tidy as tidy

#: The supervisor has its own deadline for a start, which may be configured; this one is for a supervisor that hangs.
_LONGEST_START = 600.0

#: Variables of ours that are not for a daemon: they say where their bearer belongs.
_NOT_SENT = frozenset(
    {
        "DESCARTES_AGENT_ID",
        "DESCARTES_HOME",
        "DESCARTES_HOOK_ID",
        "DESCARTES_SESSION_ID",
        "DESCARTES_SOCKET",
        "DESCARTES_SOFT_NOFILE",
        "DESCARTES_SUPERVISOR",
        "DESCARTES_SUPERVISOR_LINGER",
    }
)


def at(home: Home, path: str | os.PathLike[str]) -> Session:
    """Return the session of the workspace at or above a path.

    Raises:
        NoWorkspace: there is none.

    """
    return session_of(home, workspace_around(home, path))


def resolve(home: Home, text: str) -> Session:
    """Return the session that is meant: by path, id, name, or a unique prefix of an id.

    Raises:
        NoWorkspace: it is a path, and there is no workspace.
        SessionNotFound: no known session is called so.
        Ambiguous: more than one is; the message lists them.

    """
    if "/" in text or text in (".", "..") or text.startswith("~") or _is_marked(text):
        return _missing_at(home, text) or at(home, text)
    sessions = known(home)
    named = (Named(session.id, session.name, session.run is not None) for session in sessions)
    try:
        identity = resolve_name(text, named, SessionNotFound)
    except SessionNotFound:
        if os.path.exists(text):
            return at(home, text)
        raise
    return next(session for session in sessions if session.id == identity)


def _missing_at(home: Home, text: str) -> Session | None:
    """Return the session that is known at a path where nothing is any more."""
    place = Path(os.path.abspath(os.path.expanduser(text)))
    if "\0" in text or os.path.lexists(place):
        return None
    resolved = place.parent.resolve() / place.name
    return next((session for session in known(home) if session.path in (place, resolved)), None)


def _is_marked(text: str) -> bool:
    try:
        return is_workspace(text)
    except (OSError, ValueError):
        return False


def known(home: Home) -> list[Session]:
    """Return every session that was once used or runs now, by name; nothing is searched."""
    remembered = registry.read(home)
    paths = dict(remembered.known)
    for run in read_run_files(home):
        if run.is_alive:
            paths.setdefault(run.session_id, run.path)
    sessions = (_known(home, remembered, session_id, Path(path)) for session_id, path in paths.items())
    # A workspace that bears another id by now is one session, not two.
    return in_order({session.id: session for session in sessions}.values())


def in_order(sessions: Iterable[Session]) -> list[Session]:
    """Return them by name, as people look for them."""
    return sorted(sessions, key=lambda session: (session.name.casefold(), session.name, str(session.path)))


def _known(home: Home, remembered: registry.Registry, session_id: str, path: Path) -> Session:
    with contextlib.suppress(NoWorkspace, OSError):
        if path.is_dir():  # also without a marker: `git clean -fdX` deletes .scud
            return session_of(home, path, remembered)
    run = living_run(home, session_id)
    record = fresh_record(session_id, path, 0.0)
    return Session(record, path, False, effective(record.status, run), run, (f"{path} is not there any more",))


def active(home: Home) -> Session | None:
    """Return the session that was last made the active one, None when none was or it is gone."""
    identity = registry.read(home).active_session_id
    return next((session for session in known(home) if session.id == identity), None)


def use(home: Home, session: Session) -> str:
    """Make it the active one, and remember it; return what a person should know, else nothing.

    Raises:
        Conflict: another workspace bears its id.
        Refused: it is archived.
        Unavailable: it cannot be written down.

    """
    refuse_rivals(session)
    _refuse_archived(session)
    note = registry.remember(home, session.id, str(session.path))
    return registry.set_active(home, session.id) or note


def start(home: Home, session: Session) -> dict[str, Any]:
    """Start a session's daemon, or find it running; return {id, pid, http_endpoint, ws_endpoint, socket}.

    Raises:
        Conflict: another workspace bears its id, or another DESCARTES_HOME's daemon serves it.
        Refused: it is archived.
        NoWorkspace: it is gone.
        ConfigInvalid: the configuration is wrong; nothing was started.
        DaemonStartFailed: with the last lines of its log.
        Unavailable: the supervisor cannot be reached, or has no free ports.

    """
    refuse_rivals(session)
    _refuse_archived(session)
    run = session.run
    if run is not None and session.status is State.ACTIVE:
        _remember(home, session)
        return {
            "id": session.id,
            "pid": run.pid,
            "http_endpoint": run.http_endpoint,
            "ws_endpoint": run.ws_endpoint,
            "socket": run.socket,
        }
    if not session.path.is_dir():
        raise NoWorkspace(
            f"{session.path} is not there any more: if it was moved, name its new path once, or "
            f"`descartes sessions relocate {quote(session.name)} NEWPATH`; "
            f"to end what runs of it: descartes sessions stop --force {quote(session.name)}"
        )
    _refuse_unseen_copy(home, session)
    _refuse_other_home(home, session)
    refuse_wrong(home, workspace=session.path, session_id=session.id, config_file=config_of(session))
    home.make()
    with supervisor_client.ensure(home) as supervisor:
        try:
            answer: dict[str, Any] = supervisor.call("start", _request(session), timeout=_LONGEST_START)
        except DaemonStartFailed:
            _refuse_archived(session_of(home, session.path))  # by another command, a moment ago
            raise
    _remember(home, session)
    return answer


def config_of(session: Session) -> Path | None:
    """Return the configuration that makes a directory a workspace, None where something else does."""
    return session.path / "config.toml" if has_config(str(session.path)) else None


def _request(session: Session) -> dict[str, Any]:
    ports = session.record.ports
    return {
        "id": session.id,
        "name": session.name,
        "path": str(session.path),
        "ports": list(ports) if ports else None,
        "config": str(config) if (config := config_of(session)) else None,
        "env": {
            name: value for name, value in os.environ.items() if name.startswith("DESCARTES_") and name not in _NOT_SENT
        },
    }


def _refuse_archived(session: Session) -> None:
    """Refuse to begin anything in a session that was laid aside.

    Raises:
        Refused: it is archived.

    """
    if session.status is State.ARCHIVED:
        moved(session, session.status, Cause.START_ASKED)


def _refuse_unseen_copy(home: Home, session: Session) -> None:
    """Refuse to start what was copied to beside itself, also when nobody has looked at the copy yet.

    Raises:
        Conflict: there is one.

    """
    copy = copy_beside(session.id, session.path) if session.has_file else None
    if copy is not None:
        remember_copies(home, session.id, [copy])
        refuse_rivals(replace(session, rival=copy))


def _refuse_other_home(home: Home, session: Session) -> None:
    """Refuse to start what a daemon of another home serves; one of ours may be just coming, or be restarted.

    Raises:
        Conflict: the message tells who.

    """
    scud = session.path / ".scud"
    try:
        lock = lock_directory(scud)
    except Locked:
        holder = holder_of(scud)
    except OSError:  # it is made when it is needed, or cannot be: then the data directory's lock alone holds
        return
    else:
        if lock is not None:
            os.close(lock)
        return
    if holder is None or not holder.is_lasting or holder.home is None:
        return
    if os.path.realpath(holder.home) != os.path.realpath(home.path):
        raise Conflict(f"{session.path} is served by {holder}: use that DESCARTES_HOME, or stop it there")


def _remember(home: Home, session: Session) -> None:
    # A daemon that runs is worth more than a note of it that cannot be written.
    with contextlib.suppress(OSError, Unavailable):
        registry.remember(home, session.id, str(session.path))
