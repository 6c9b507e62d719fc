"""Reach the user's supervisor, and start it when there is none."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Sequence

from descartes_core.errors import DaemonUnreachable, DeadlineOver, SupervisorUnreachable
from descartes_local.detached import start_detached
from descartes_local.home import Home
from descartes_local.patient_lock import lock_within
from descartes_local.rpc_client import Connection
from descartes_local.supervisor_file import read_supervisor_file

#: A supervisor answers a ping within microseconds, one that is just starting after its imports; one that starts the
#: next, or just ends, lets go of its locks as soon.
PATIENCE = 10.0
#: A start is answered when the daemon is ready, which may take its whole deadline (30 s).
_LONGEST_ANSWER = 60.0
#: A supervisor can end between our coming and our first word.
_TRIES = 5
#: More than any system allows: it takes its own maximum then.
_BACKLOG = 65_535

SUPERVISOR = (sys.executable, "-P", "-m", "descartes_orchestrator.supervisor")


def connect(home: Home, *, patience: float = PATIENCE) -> Connection | None:
    """Return a connection to the living supervisor; None when there is none.

    Raises:
        SupervisorUnreachable: there is one, and it does not answer.

    """
    try:
        connection = Connection(home.supervisor_socket, timeout=patience)
    except DaemonUnreachable:
        return None
    try:
        connection.call("ping")
    except DeadlineOver:
        connection.close()
        raise _unreachable(home, f"does not answer within {patience:g} s") from None
    except DaemonUnreachable:
        connection.close()
        return None
    connection.socket.settimeout(_LONGEST_ANSWER)
    return connection


def ensure(home: Home, *, command: Sequence[str] = SUPERVISOR, patience: float = PATIENCE) -> Connection:
    """Return a connection to the supervisor, started now if need be.

    Raises:
        SupervisorUnreachable: there is one that does not answer, or none can be started.

    """
    home.make()
    for _ in range(_TRIES):
        connection = connect(home, patience=patience) or _start(home, command, patience)
        if connection is not None:
            return connection
    raise _unreachable(home, "does not stay")


def _start(home: Home, command: Sequence[str], patience: float) -> Connection | None:
    with _locked(home, patience):
        connection = connect(home, patience=patience)
        if connection is not None:
            return connection
        life = lock_within(home.run, patience)
        if life is None:
            raise _unreachable(home, "is alive, but nobody listens at its socket")
        try:
            with _listening(home) as listener:
                start_detached(command, [listener.fileno(), life], home)
        except SupervisorUnreachable:
            home.supervisor_socket.unlink(missing_ok=True)
            raise
        finally:
            os.close(life)
    # The socket listens already: who connects now waits in its backlog until the supervisor has begun.
    return connect(home, patience=patience)


@contextlib.contextmanager
def _locked(home: Home, patience: float) -> Iterator[None]:
    # Who holds it may itself be waiting for a supervisor that ends.
    lock = lock_within(home.path, 2 * patience)
    if lock is None:
        raise SupervisorUnreachable(f"somebody has held the lock on {home.path} for {2 * patience:g} s: try again")
    try:
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def _listening(home: Home) -> Iterator[socket.socket]:
    """Listen where the supervisor will; only for who holds its life lock, so what lies there is stale."""
    path = home.supervisor_socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise SupervisorUnreachable(f"cannot listen at {path}: {error.strerror or error}") from error
        yield listener


def _unreachable(home: Home, why: str) -> SupervisorUnreachable:
    told = read_supervisor_file(home)
    pid = told.pid if told else None
    remedy = f"; kill -9 {pid} harms no agent whose daemon lives, and makes room for another" if pid else ""
    named = f"the supervisor (pid {pid})" if pid else "the supervisor"
    return SupervisorUnreachable(f"{named} {why}: look at {home.log / 'supervisor.log'}{remedy}")
