"""Lay a session aside, and take it up again."""

from __future__ import annotations

from dataclasses import replace

from descartes_core.errors import Locked
from descartes_core.session_life import Cause
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.probe import reached
from descartes_orchestrator.claim import claimed, moved, served
from descartes_orchestrator.identity import Session, refuse_copy, session_of
from descartes_orchestrator.stopping import stop


def archive(home: Home, session: Session, *, force: bool = False) -> tuple[Session, list[str]]:
    """Stop a session and lay it aside; return it as it is then, and the ids of the agents that were ended.

    Raises:
        AgentsAlive: agents live, and force was not used; nothing has changed.
        Refused: it is archived already.
        Conflict: another workspace bore its id first, or somebody else's daemon serves it.
        Unavailable: it cannot be written.

    """
    ended = stop(home, session, force=force)
    found = _move(home, session, Cause.ARCHIVE_ASKED)
    registry.leave(home, session.id)  # where nothing can be started, spawn must not go by itself
    return found, ended


def unarchive(home: Home, session: Session) -> Session:
    """Take up a session that was laid aside, and return it as it is then.

    Raises:
        Refused: it is not archived.
        Conflict: another workspace bore its id first, or somebody else's daemon serves it.
        Unavailable: it cannot be written.

    """
    return _move(home, session, Cause.UNARCHIVE_ASKED)


def _move(home: Home, session: Session, cause: Cause) -> Session:
    refuse_copy(session)
    try:
        with claimed(home, session) as claim:
            became = moved(session, claim.record.status, cause)
            reached(f"session.{cause}")
            claim.save(replace(claim.record, status=became))
            reached(f"session.{became.lower()}")
    except Locked as error:
        raise served(session, error) from None
    registry.remember(home, session.id, str(session.path))
    return session_of(home, session.path)
