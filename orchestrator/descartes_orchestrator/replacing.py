"""Replace a session's daemon by one of the installed code, while its agents go on."""

from __future__ import annotations

from typing import Any

from descartes_core.errors import Conflict, DaemonStartFailed, DaemonUnreachable, MethodNotFound, Refused
from descartes_core.session_life import State
from descartes_local import supervisor_client
from descartes_local.config_quick import refuse_wrong
from descartes_local.home import Home
from descartes_local.probe import reached
from descartes_local.run_file import RunFile, read_run_file
from descartes_orchestrator.identity import Session, living_run, refuse_rivals
from descartes_orchestrator.sessions import config_of

#: The one before has its grace to end, the next one its deadline to be ready, and older code as much again.
_LONGEST = 600.0


def restart(home: Home, session: Session) -> dict[str, Any]:
    """Replace a session's daemon; return {id, name, was, now, fell_back}, where was and now are {pid, version, stamp}.

    Callers wait at the doors meanwhile. Where the daemon has just died, the next one is waited for. `fell_back` tells
    why the next one is not of the installed code, else None.

    Raises:
        Conflict: no supervisor keeps what this daemon has, or agents would not outlive it.
        ConfigInvalid: the next one would not start; nothing has changed.
        DaemonStartFailed: the next one did not start; the agents live, and are kept.
        Refused: it does not run.

    """
    refuse_rivals(session)
    run = living_run(home, session.id) or _just_died(home, session)
    if run is None:
        raise Refused(f"{session.name} is {session.status}: there is no daemon to be replaced")
    if not run.keeper:
        raise Conflict(
            f"the daemon of {session.name} (pid {run.pid}) was not started by the supervisor: restart it where it was"
        )
    refuse_wrong(home, workspace=session.path, session_id=session.id, config_file=config_of(session))
    told = _ask(home, session)
    now = read_run_file(home.run_file(session.id)) or run
    return {
        "id": session.id,
        "name": session.name,
        "was": _seen(run),
        "now": {**_seen(now), "pid": told["pid"]},
        "fell_back": told.get("fell_back"),
    }


def _just_died(home: Home, session: Session) -> RunFile | None:
    """Return what the daemon told of itself that died, if the supervisor is starting the next one."""
    before = read_run_file(home.run_file(session.id))
    supervisor = supervisor_client.connect(home) if before is not None and before.keeper else None
    if supervisor is None:
        return None
    with supervisor:
        told = supervisor.call("list")["sessions"]
    if not any(entry["id"] == session.id and entry["status"] == State.STARTING for entry in told):
        return None
    reached("restart.awaited")
    return before


def _ask(home: Home, session: Session) -> dict[str, Any]:
    try:
        with supervisor_client.ensure(home) as supervisor:
            told: dict[str, Any] = supervisor.call("restart", {"id": session.id}, timeout=_LONGEST)
    except MethodNotFound:
        raise Conflict("the supervisor is too old to do that: descartes supervisor upgrade") from None
    except DaemonUnreachable as error:
        raise DaemonStartFailed(
            f"the supervisor ended meanwhile ({error.message}): the next one goes on, so try again"
        ) from error
    return told


def _seen(run: RunFile) -> dict[str, Any]:
    return {"pid": run.pid, "version": run.version, "stamp": run.stamp}
