"""Give a session another name."""

from __future__ import annotations

from dataclasses import replace

from descartes_core.errors import DaemonUnreachable, Locked
from descartes_core.ids import check_name, new_id
from descartes_local.home import Home
from descartes_local.probe import reached
from descartes_local.rpc_client import Connection
from descartes_orchestrator.claim import claimed, served
from descartes_orchestrator.identity import Session, refuse_copy, session_of

#: Longer than a daemon's restart.
_PATIENCE = 30.0
#: A daemon may be started, or end, between our looking and our doing.
_TRIES = 3


def rename(home: Home, session: Session, name: str) -> Session:
    """Give a session another name, by its daemon where one lives, and return it as it is then.

    Raises:
        InvalidParams: the name is not fit to be one.
        Conflict: another workspace bore its id first, or somebody else's daemon serves it.
        Unavailable: it cannot be written.

    """
    check_name(name)
    refuse_copy(session)
    locked = Locked()
    for _ in range(_TRIES):
        try:
            _by_daemon(home, session, name)
        except _NobodyServes:
            try:
                _by_ourselves(home, session, name)
            except Locked as error:
                locked = error
                continue
        return session_of(home, session.path) if session.path.is_dir() else session
    raise served(session, locked)


class _NobodyServes(Exception):
    """Nobody listens where a daemon of this session would."""


def _by_daemon(home: Home, session: Session, name: str) -> None:
    # While a daemon is started its socket is held open already: who asks then is answered once it is ready.
    path = session.run.socket if session.run is not None else home.daemon_socket(session.id)
    request = {"name": name, "request_id": new_id()}
    try:
        connection = Connection(path, timeout=_PATIENCE)
    except DaemonUnreachable:
        raise _NobodyServes from None
    with connection:
        try:
            if session.run is None and connection.call("session.info")["session"]["id"] != session.id:
                raise _NobodyServes  # sockets have the first characters of ids only
            connection.call("session.rename", request)
            return
        except DaemonUnreachable:
            pass
    # It was killed meanwhile: the next one is asked by the same id, and does it once.
    try:
        with Connection(path, timeout=_PATIENCE) as connection:
            connection.call("session.rename", request)
    except DaemonUnreachable:
        raise _NobodyServes from None


def _by_ourselves(home: Home, session: Session, name: str) -> None:
    with claimed(home, session) as claim:
        reached("session.renaming")
        claim.save(replace(claim.record, name=name))
        reached("session.renamed")
