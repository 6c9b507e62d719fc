"""Reach the user's supervisor, and start it when there is none."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Sequence

from descartes_core.errors import DaemonUnreachable, DeadlineOver, SupervisorUnreachable
from descartes_local.home import Home
from descartes_local.rpc_client import Connection
from descartes_orchestrator.detached import start_detached
from descartes_orchestrator.patient_lock import lock_within

#: A supervisor answers a ping within microseconds; one that is just starting, after its imports.
_PING_DEADLINE = 10.0
#: Who holds the start lock starts a supervisor, or is one that just ends.
_START_DEADLINE = 15.0
#: An ending supervisor lets go of its lock at once; a stuck one never.
_LIFE_DEADLINE = 5.0
#: A supervisor can end between our coming and our first word.
_TRIES = 5
#: More than any system allows: it takes its own maximum then.
_BACKLOG = 65_535

SUPERVISOR = (sys.executable, "-P", "-m", "descartes_orchestrator.supervisor")


def connect(home: Home) -> Connection | None:
    """Return a connection to the living supervisor; None when there is none.

    Raises:
        SupervisorUnreachable: there is one, and it does not answer.

    """
    connection = None
    try:
        connection = Connection(home.supervisor_socket, timeout=_PING_DEADLINE)
        connection.call("ping")
    except DeadlineOver:
        raise _unreachable(home, f"does not answer within {_PING_DEADLINE:g} s") from None
    except DaemonUnreachable:
        if connection is not None:
            connection.close()
        return None
    return connection


def ensure(home: Home, *, command: Sequence[str] = SUPERVISOR) -> Connection:
    """Return a connection to the supervisor, started now if need be.

    Raises:
        SupervisorUnreachable: there is one that does not answer, or none can be started.

    """
    home.make()
    for _ in range(_TRIES):
        connection = connect(home) or _start(home, command)
        if connection is not None:
            return connection
    raise _unreachable(home, "does not stay")


def _start(home: Home, command: Sequence[str]) -> Connection | None:
    with _locked(home):
        connection = connect(home)
        if connection is not None:
            return connection
        life = lock_within(home.run, _LIFE_DEADLINE)
        if life is None:
            raise _unreachable(home, "is alive, but nobody listens at its socket")
        try:
            with _listening(home) as listener:
                start_detached(command, [listener.fileno(), life], home)
        finally:
            os.close(life)
    # The socket listens already: who connects now waits in its backlog until the supervisor has begun.
    return connect(home)


@contextlib.contextmanager
def _locked(home: Home) -> Iterator[None]:
    lock = lock_within(home.path, _START_DEADLINE)
    if lock is None:
        raise SupervisorUnreachable(f"somebody has held the lock on {home.path} for {_START_DEADLINE:g} s: try again")
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
    try:
        pid = home.supervisor_pid.read_text().strip()
    except OSError:
        pid = "unknown"
    log = home.log / "supervisor.log"
    return SupervisorUnreachable(f"the supervisor (pid {pid}) {why}: look at {log}; to begin anew: kill {pid}")
