"""Which session a workspace is.

What session.json says counts, except its path: that is where it was found. Without the file a workspace has the id
under which it is known, else one derived from its path, else (when another one bears that) a random one, remembered.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from descartes_core.errors import Conflict, NoWorkspace, Unavailable
from descartes_core.ids import fitting_name, new_id, stable_id
from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord
from descartes_core.times import written
from descartes_local import registry, session_file
from descartes_local.home import Home
from descartes_local.run_file import RunFile, read_run_file
from descartes_orchestrator.discovery import is_workspace
from descartes_orchestrator.rivals import other_bearer, remember_copies


@dataclass(frozen=True, slots=True)
class Session:
    """A workspace as Descartes manages it, read at one moment."""

    #: What session.json says, or would; its path is where it was found.
    record: SessionRecord
    #: Resolved.
    path: Path
    #: Whether there is a session.json that can be read.
    has_file: bool
    #: What is true, whatever the file says: nothing is Active without a living daemon.
    status: State
    #: Only of a daemon that lives.
    run: RunFile | None
    #: What a person should know.
    notes: tuple[str, ...] = ()
    #: Another workspace that bears the same id.
    rival: Path | None = None
    #: The rival was known first: what is asked of this id is asked of that one.
    is_copy: bool = False

    @property
    def id(self) -> str:
        """The session's id."""
        return self.record.id

    @property
    def name(self) -> str:
        """A name that tables and command lines can bear, whatever the file says."""
        return fitting_name(self.record.name)


def workspace_around(home: Home, path: str | os.PathLike[str]) -> Path:
    """Return the workspace at or above a path, resolved.

    Raises:
        NoWorkspace: there is none, or the path is no directory that can be looked into.

    """
    try:
        place = Path(os.path.expanduser(path)).resolve(strict=True)
        if not place.is_dir():
            raise NoWorkspace(f"{place} is not a directory")
        own = home.path.resolve()
        for directory in (place, *place.parents):
            if directory != own and is_workspace(str(directory)):
                return directory
    except FileNotFoundError:
        raise NoWorkspace(f"{path} does not exist: make a workspace with `descartes sessions create`") from None
    except OSError as error:
        raise NoWorkspace(f"{error.filename or path} cannot be looked into: {error.strerror}") from error
    except (ValueError, RuntimeError) as error:  # a NUL in the name; a symlink loop, before Python 3.13
        raise NoWorkspace(f"{path!r} cannot be a path: {error}") from error
    raise NoWorkspace(
        f"{place} is not in a workspace: make one there with `descartes sessions create {quote(str(place))}`"
    )


def session_of(home: Home, workspace: Path, known: registry.Registry | None = None) -> Session:
    """Return the session of a workspace, given resolved; who asks for many has read what is known once for all.

    Raises:
        NoWorkspace: it vanished.

    """
    known = known or registry.read(home)
    notes = [known.note] if known.note else []
    record = None
    try:
        record = session_file.load(workspace)
    except session_file.Unreadable as error:
        notes.append(f"{error}; it will be set aside when the session is started")
    has_file = record is not None
    if record is None:
        record = _fresh_record(home, workspace, known, notes)
    told, record = record.path, replace(record, path=str(workspace))
    run = living_run(home, record.id)
    rival, is_copy = _rival(home, known, record, told, run)
    if rival is not None:
        notes.append(rival_note(rival, workspace if is_copy else rival))
    if is_copy:
        run = None
    if not os.access(workspace / ".scud" if (workspace / ".scud").exists() else workspace, os.W_OK):
        notes.append(f"{workspace} cannot be written: its state is kept in {home.path} alone")
    status = effective(record.status, run)
    return Session(record, workspace, has_file, status, run, tuple(notes), rival, is_copy)


def living_run(home: Home, session_id: str) -> RunFile | None:
    """Return the run file of a session whose daemon lives."""
    run = read_run_file(home.run_file(session_id))
    return run if run is not None and run.session_id == session_id and run.is_alive else None


def effective(status: State, run: RunFile | None) -> State:
    """Return what is true: the file may be older than the daemon's start or death."""
    if run is None:
        return State.INACTIVE if status in (State.STARTING, State.ACTIVE, State.STOPPING) else status
    return status if status in (State.STARTING, State.STOPPING) else State.ACTIVE


def refuse_rivals(session: Session) -> None:
    """Refuse to begin anything in either of two workspaces that bear the same id: they would share one history.

    Raises:
        Conflict: another workspace bears the same id.

    """
    if session.rival is not None:
        copy = session.path if session.is_copy else session.rival
        raise Conflict(f"{session.path} and {session.rival} bear the same id {session.id}: {_remedy(copy)}")


def refuse_copy(session: Session) -> None:
    """Refuse what would reach another workspace's daemon.

    Raises:
        Conflict: another workspace bore this id first.

    """
    if session.is_copy:
        refuse_rivals(session)


def rival_note(rival: Path, copy: Path) -> str:
    """Return what a person is told of a workspace that bears the same id."""
    return f"{rival} bears the same id: {_remedy(copy)}"


def _remedy(copy: Path) -> str:
    return f"`descartes sessions adopt {quote(str(copy))}`, if that is the copy, gives it an id of its own"


def fresh_record(session_id: str, workspace: Path, created_at: float) -> SessionRecord:
    """Return what is known of a workspace that tells nothing itself."""
    return SessionRecord(session_id, fitting_name(workspace.name), str(workspace), written(created_at))


def _fresh_record(home: Home, workspace: Path, known: registry.Registry, notes: list[str]) -> SessionRecord:
    path = str(workspace)
    identity = known.id_at(path)
    if identity is None:
        identity = stable_id(path)
        if identity in known.known:
            identity = new_id()
            try:
                notes.append(registry.remember(home, identity, path))
            except (OSError, Unavailable) as error:
                notes.append(f"its id cannot be remembered: {error}")
    try:
        since = os.stat(workspace).st_mtime
    except OSError:
        raise NoWorkspace(f"{workspace} is gone") from None
    notes[:] = filter(None, notes)
    return fresh_record(identity, workspace, since)


def _rival(
    home: Home, known: registry.Registry, record: SessionRecord, told: str, run: RunFile | None
) -> tuple[Path | None, bool]:
    """Return another place that bears this id, and whether that one was first."""
    workspace = Path(record.path)
    first = other_bearer(record.id, workspace, [known.known.get(record.id), run.path if run else None])
    if first is None and record.id not in known.known:
        first = other_bearer(record.id, workspace, [told])  # a copy still tells where it was copied from
    if first is not None:
        if record.path not in known.copies.get(record.id, ()):
            remember_copies(home, record.id, [workspace])
        return first, True
    return other_bearer(record.id, workspace, [*known.copies.get(record.id, ()), told]), False
