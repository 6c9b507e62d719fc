"""Hold a session that no daemon serves, for the moment of one change."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shlex import quote

from descartes_core.errors import Conflict, IllegalTransition, Locked, NoWorkspace, Refused, Unavailable
from descartes_core.session_life import Cause, State, move
from descartes_core.session_record import SessionRecord
from descartes_local import session_file
from descartes_local.home import Home, make_private
from descartes_local.locks import lock_directory
from descartes_orchestrator.identity import Session, effective

#: Another command holds a session about as long as a disk needs to sync.
_PATIENCE = 10.0
#: What a person does who asked for a move that is not possible.
_REMEDIES = {
    (State.ARCHIVED, Cause.START_ASKED): "`descartes sessions unarchive {path}` makes it usable again",
    (State.ARCHIVED, Cause.ARCHIVE_ASKED): "there is nothing to do",
    (State.INACTIVE, Cause.UNARCHIVE_ASKED): "there is nothing to do",
    (State.ERROR, Cause.UNARCHIVE_ASKED): "`descartes sessions start {path}` tries again",
}


class Claim:
    """The locks of a session, in our hands."""

    def __init__(self, workspace: Path, record: SessionRecord) -> None:
        self.workspace = workspace
        #: As it stands now; nobody but us changes it.
        self.record = record

    def save(self, record: SessionRecord) -> None:
        """Write session.json, durably.

        Raises:
            Unavailable: it cannot be written; what was there stays.

        """
        try:
            session_file.save(self.workspace, record)
        except OSError as error:
            file = session_file.path_in(self.workspace)
            raise Unavailable(f"{file} cannot be written: {error.strerror or error}") from error
        self.record = record


@contextlib.contextmanager
def claimed(home: Home, session: Session) -> Iterator[Claim]:
    """Hold a session's locks within the block; a copy shares its data with its original, and holds only its own.

    Raises:
        Locked: a daemon serves it, or is about to; the message tells which.
        Conflict: it bears another id by now.
        NoWorkspace: it is gone.
        Unavailable: it cannot be held.

    """
    if not session.path.is_dir():
        raise NoWorkspace(f"{session.path} is not there any more")
    with contextlib.ExitStack() as held:
        try:
            scud = session.path / ".scud"
            scud.mkdir(exist_ok=True)
            is_locked = _hold(held, scud)
            data = home.session(session.id)
            if not session.is_copy and (data.is_dir() or not is_locked):
                home.make()
                make_private(data)
                _hold(held, data)
        except OSError as error:
            if not session.path.is_dir():  # it went while we waited for our turn
                raise NoWorkspace(f"{session.path} is not there any more") from error
            where = error.filename or session.path
            raise Unavailable(f"{where} cannot be held for a change: {error.strerror or error}") from error
        yield Claim(session.path, _present(session))


def _hold(held: contextlib.ExitStack, directory: Path) -> bool:
    descriptor = lock_directory(directory, patience=_PATIENCE)
    if descriptor is not None:
        held.callback(os.close, descriptor)
    return descriptor is not None


def _present(session: Session) -> SessionRecord:
    """Return what session.json tells now that nobody else changes it; one that is torn is set aside."""
    try:
        record = session_file.load(session.path)
    except session_file.Unreadable as error:
        try:
            session_file.set_aside(session.path)
        except OSError:
            raise Unavailable(str(error)) from error
        record = None
    if record is None:
        return session.record
    if record.id != session.id:
        raise Conflict(f"{session.path} bears the id {record.id} by now: look again with `descartes sessions show`")
    # Whoever holds the locks knows that no daemon lives, whatever the last one could not write any more.
    return replace(record, path=str(session.path), status=effective(record.status, None), daemon_info=None)


def moved(session: Session, state: State, cause: Cause) -> State:
    """Return where a cause leads from a state.

    Raises:
        Refused: nowhere; the message tells what to do instead.

    """
    try:
        return move(session.name, state, cause).to
    except IllegalTransition as error:
        if (state, cause) not in _REMEDIES:
            raise
        remedy = _REMEDIES[state, cause].format(path=quote(str(session.path)))
        raise Refused(f"{session.name} is {state}: {remedy}") from error


def served(session: Session, error: Locked) -> Conflict:
    """Return what is told of a session that somebody else holds: a daemon of another home, or one just started."""
    return Conflict(f"{session.name} is held by somebody else, try again or stop it there: {error.message}")
