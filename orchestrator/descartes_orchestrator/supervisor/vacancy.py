"""Whether a session's place is free for a daemon of ours."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from descartes_core.errors import Conflict, Locked, Unavailable
from descartes_core.ids import short
from descartes_local.home import Home
from descartes_local.lock_holder import holder_of
from descartes_local.locks import lock_directory
from descartes_local.run_file import read_run_file
from descartes_orchestrator.supervisor.house import Wanted


def served_by_another(home: Home, identity: str) -> dict[str, Any] | None:
    """Return where a daemon is that somebody else started (alone, or under systemd)."""
    run = read_run_file(home.run_file(identity))
    if run is None or run.session_id != identity or not run.is_alive:
        return None
    where = {"http_endpoint": run.http_endpoint, "ws_endpoint": run.ws_endpoint, "socket": run.socket}
    return {"id": identity, "pid": run.pid, **where}


def refuse_a_twin(home: Home, wanted: Wanted) -> None:
    """Refuse to start a second daemon: it would take the first one's doors away before it sees its lock.

    Raises:
        Unavailable: there is one.

    """
    directory = home.session(wanted.id)
    try:
        lock = lock_directory(directory)
    except Locked:
        holder = holder_of(directory)
        if holder is not None and holder.is_lasting:
            raise Unavailable(
                f"a daemon of {wanted.name} lives (pid {holder.pid}) and is just beginning, or has not handed "
                "itself over to this supervisor yet: try again"
            ) from None
    except OSError:
        return  # it was never served
    else:
        if lock is not None:
            os.close(lock)


def refuse_the_same_name(wanted: Wanted, others: Iterable[str]) -> None:
    """Refuse what would have the run file and the sockets of another session.

    Raises:
        Conflict: there is one with the same first characters.

    """
    for other in others:
        if short(other) == short(wanted.id):
            raise Conflict(f"session {other} has the same first characters as {wanted.id}; stop it first")
