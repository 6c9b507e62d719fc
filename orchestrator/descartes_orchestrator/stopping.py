"""End a session: ask, TERM, KILL, each within its bound."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from descartes_core.errors import (
    AgentsAlive,
    Conflict,
    DaemonUnreachable,
    DeadlineOver,
    DescartesError,
    Locked,
    Refused,
)
from descartes_core.ids import new_id
from descartes_core.session_life import State
from descartes_local import session_file, supervisor_client
from descartes_local.home import Home
from descartes_local.locks import lock_directory
from descartes_local.peer import is_held
from descartes_local.processes import Process, every_stat, send_signal, wait_for_end
from descartes_local.rpc_client import Connection, call
from descartes_local.run_file import RunFile, read_run_file, read_run_files, remove_run_file
from descartes_local.tree import find_tree, kill_tree
from descartes_orchestrator.identity import Session, living_run, refuse_copy

#: What a daemon may take over the graces of its agents to answer and to end (seconds).
PATIENCE = 10.0

#: Where no grace is given agents have their own, usually 10 s; longer ones are cut here.
OWN_GRACE = 30.0

#: From TERM to KILL for a daemon that no supervisor keeps, unless a grace is given.
DAEMON_GRACE = 10.0
#: The supervisor has its own grace for a daemon, which may be configured; this is for a supervisor that hangs.
_LONGEST_GRACE = 3600.0


def stop(
    home: Home, session: Session, *, force: bool = False, grace: float | None = None, patience: float = PATIENCE
) -> list[str]:
    """End a session's daemon, with `force` its agents first; return the ids of the agents that were ended.

    Afterwards nothing of it runs, and its status is Inactive on disk. One that is not active stays so.

    Raises:
        AgentsAlive: agents live, or may live, and force was not used; nothing has changed.
        Conflict: another workspace bore its id first, or somebody else's daemon serves it.
        DescartesError: the daemon or the supervisor said no.

    """
    refuse_copy(session)
    daemon_grace = DAEMON_GRACE if grace is None else max(grace, 1.0)
    supervisor = supervisor_client.connect(home)
    with contextlib.nullcontext() if supervisor is None else supervisor:
        entry = _entry(supervisor, session.id)
        ended = _ask(home, session, entry, force, grace, patience)
        if ended is None and not force:
            _refuse_survivors(session, entry)
        if supervisor is not None:
            longest = _LONGEST_GRACE if grace is None else daemon_grace
            asked = {} if grace is None else {"grace": daemon_grace}
            supervisor.call("stop", {"id": session.id, **asked}, timeout=longest + patience)
    run = living_run(home, session.id)
    if run is not None:  # the supervisor knows nothing of this one, or there is no supervisor
        _end_lone(run, asked=ended is not None, force=force, grace=daemon_grace, patience=patience)
    if entry is None or run is not None:
        _remove_leftovers(home, session.id)
    was_ours = session.run is not None or (entry is not None and entry["status"] != State.ERROR)
    _write_inactive(session, is_ours=was_ours)
    return ended or []


def _entry(supervisor: Connection | None, session_id: str) -> dict[str, Any] | None:
    """Return what the supervisor tells of a session."""
    if supervisor is None:
        return None
    told: list[dict[str, Any]] = supervisor.call("list")["sessions"]
    return next((entry for entry in told if entry["id"] == session_id), None)


def _ask(
    home: Home,
    session: Session,
    entry: dict[str, Any] | None,
    force: bool,
    grace: float | None,
    patience: float,
) -> list[str] | None:
    """Ask the daemon to end itself; None when it did not answer."""
    is_coming = entry is not None and entry["status"] in (State.STARTING, State.ACTIVE)
    if session.run is None and not is_coming:
        return None
    # While a daemon is being restarted its socket is held open: who asks then is answered by the next.
    path = session.run.socket if session.run is not None else home.daemon_socket(session.id)
    graces = (OWN_GRACE if grace is None else grace) if force else 0.0
    request = {"force": force, "request_id": new_id()} | ({} if grace is None else {"grace": grace})
    try:
        ended: list[str] = call(path, "system.shutdown", request, timeout=graces + patience)["ended"]
    except (DaemonUnreachable, DeadlineOver):
        return None
    except Refused:
        raise
    except DescartesError:  # one that cannot even end in order (a broken store) is ended by force only
        if not force:
            raise
        return None
    return ended


def _refuse_survivors(session: Session, entry: dict[str, Any] | None) -> None:
    """Refuse to kill, unforced, what a daemon that does not answer may still have.

    Raises:
        AgentsAlive: something of it is alive.

    """
    alive = int(entry["kept"]) if entry is not None else 0
    if entry is None and session.run is not None:
        alive = sum(stat.parent == session.run.pid and not stat.is_dead for stat in every_stat())
    if alive:
        raise AgentsAlive(
            f"the daemon of {session.name} does not answer, and {alive} of its agents may be alive: use --force"
        )


def _end_lone(run: RunFile, *, asked: bool, force: bool, grace: float, patience: float) -> None:
    """End a daemon that runs without a supervisor; what it leaves is ended too."""
    process = run.process
    if asked and wait_for_end(process, patience):
        return
    family = find_tree({process}) - {process}
    _end(process, grace)
    if force:
        # Its agents had no keeper: what outlived it nobody would find again.
        kill_tree(lambda: find_tree(family, ("DESCARTES_SESSION_ID", run.session_id)))


def _end(process: Process, grace: float) -> None:
    send_signal(process, signal.SIGTERM)
    send_signal(process, signal.SIGCONT)  # one that was stopped would not hear it
    if not wait_for_end(process, grace):
        send_signal(process, signal.SIGKILL)
        if not wait_for_end(process, DAEMON_GRACE):
            raise DeadlineOver(f"the daemon (pid {process.pid}) does not end even by SIGKILL: see its state with ps")


def tidy(home: Home, held: Collection[str]) -> None:
    """Remove the run files and the doors of daemons that died with whoever kept them; but not of held sessions."""
    for run in read_run_files(home):
        if run.is_alive or run.keeper == "systemd" or run.session_id in held:
            continue
        # A daemon that is just beginning has the lock, or waits for it.
        with contextlib.suppress(Locked, OSError):
            lock = lock_directory(home.session(run.session_id))
            try:
                _remove_leftovers(home, run.session_id)
            finally:
                if lock is not None:
                    os.close(lock)


def _remove_leftovers(home: Home, session_id: str) -> None:
    """Remove the doors of a dead daemon; those of a living one stay, it may be a new one."""
    run = read_run_file(home.run_file(session_id))
    if run is not None and (run.session_id != session_id or run.is_alive):
        return
    for path in {home.daemon_socket(session_id), home.notify_socket(session_id), *([Path(run.socket)] if run else [])}:
        if not is_held(path):
            with contextlib.suppress(OSError):
                path.unlink()
    remove_run_file(home, session_id)


def _write_inactive(session: Session, *, is_ours: bool) -> None:
    """Put right what a daemon could not write any more, unless somebody holds the session again.

    Raises:
        Conflict: a daemon that we know nothing of serves the workspace.

    """
    try:
        record = session_file.load(session.path)
        if record is None or record.status in (State.INACTIVE, State.ARCHIVED):
            return
        lock = lock_directory(session_file.path_in(session.path).parent)
    except Locked as error:
        if is_ours:
            return
        raise Conflict(
            f"{session.path} is served by a daemon of another DESCARTES_HOME, or one whose files were deleted: "
            f"{error.message}; stop it there, or end that process"
        ) from None
    except (OSError, session_file.Unreadable):
        return
    try:
        with contextlib.suppress(OSError):  # a workspace that cannot be written says so elsewhere
            session_file.save(session.path, replace(record, status=State.INACTIVE, daemon_info=None))
    finally:
        if lock is not None:
            os.close(lock)
