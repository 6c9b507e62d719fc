"""Say where a session lies that was moved, and tell a copy from its original."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from shlex import quote

from descartes_core.errors import Conflict, Locked, Refused
from descartes_core.ids import new_id
from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord
from descartes_core.times import written
from descartes_local import registry, session_file, supervisor_client
from descartes_local.home import Home
from descartes_local.probe import reached
from descartes_orchestrator.claim import claimed, served
from descartes_orchestrator.identity import Session, living_run, session_of, workspace_around
from descartes_orchestrator.rivals import bears


def relocate(home: Home, session: Session, place: str | os.PathLike[str]) -> Session:
    """Know a session by the place its workspace was moved to, and return it as it is then.

    Raises:
        NoWorkspace: there is none at that place.
        Conflict: another session's workspace lies there, or the old place still bears the id.
        Refused: its daemon lives.

    """
    there = workspace_around(home, place)
    _refuse_served(home, session)
    try:
        record = session_file.load(there)
    except session_file.Unreadable as error:
        raise Conflict(f"{error}; so nobody knows whether it is {session.name}") from error
    if record is None or record.id != session.id:
        told = "has no session.json" if record is None else f"is the workspace of session {record.id}"
        raise Conflict(f"{there} {told}, and not that of {session.name} ({session.id})")
    old = session.path
    if old.exists() and not os.path.samefile(old, there) and bears(old, session.id):
        raise Conflict(
            f"{old} still bears the id {session.id}, and so does {there}: "
            f"`descartes sessions adopt PATH` gives the copy at PATH an id of its own"
        )
    moved = replace(session, path=there, record=replace(record, path=str(there)), is_copy=False, rival=None, run=None)
    try:
        with claimed(home, moved) as claim:
            reached("session.relocating")
            claim.save(claim.record)
            with registry.updating(home) as change:
                change.registry = change.registry.with_known(session.id, str(there)).without_copy(str(there))
    except Locked as error:
        raise served(moved, error) from None
    return session_of(home, there)


def adopt(home: Home, place: str | os.PathLike[str]) -> Session:
    """Give the workspace at a place, which bears another one's id, an id of its own; return it as it is then.

    Its name is kept; its history stays with the other one.

    Raises:
        NoWorkspace: there is none.
        Refused: no other workspace is known to bear its id, or its daemon lives.
        Conflict: somebody else's daemon serves it.
        Unavailable: it cannot be written.

    """
    copy = session_of(home, workspace_around(home, place))
    if copy.rival is None:
        raise Refused(f"{copy.path} is the only workspace known to bear the id {copy.id}: nothing is to be adopted")
    if not copy.is_copy:
        _refuse_served(home, copy)
    try:
        with claimed(home, copy) as claim:
            reached("session.adopting")
            record = _of_its_own(claim.record)
            claim.save(record)
            reached("session.adopted")
            _remember_both(home, copy, record.id)
    except Locked as error:
        raise served(copy, error) from None
    return session_of(home, copy.path)


def _of_its_own(record: SessionRecord) -> SessionRecord:
    more = {key: kept for key, kept in record.more.items() if key != "ports"}  # those are the original's
    now = written(time.time())
    return replace(
        record, id=new_id(), created_at=now, last_accessed=None, status=State.INACTIVE, daemon_info=None, more=more
    )


def _remember_both(home: Home, copy: Session, identity: str) -> None:
    with registry.updating(home) as change:
        known = change.registry.without_copy(str(copy.path))
        if known.known.get(copy.id) == str(copy.path):
            known = known.with_known(copy.id, str(copy.rival)).without_copy(str(copy.rival))
        change.registry = known.with_known(identity, str(copy.path))


def _refuse_served(home: Home, session: Session) -> None:
    """Refuse to take a session's place from under its daemon, or one that is about to come.

    Raises:
        Refused: there is one.

    """
    is_served = living_run(home, session.id) is not None
    if not is_served and (supervisor := supervisor_client.connect(home)) is not None:
        with supervisor:
            told = supervisor.call("list")["sessions"]
        is_served = any(entry["id"] == session.id and not entry["at_rest"] for entry in told)
    if is_served:
        raise Refused(
            f"the daemon of {session.name} lives: descartes sessions stop {quote(session.name)} ends it first"
        )
