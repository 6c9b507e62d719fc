"""One session written down, and made again by the supervisor that takes our place."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict
from pathlib import Path

from descartes_core.errors import Unavailable, from_wire
from descartes_core.session_life import State
from descartes_local.endings import UNKNOWN
from descartes_orchestrator.supervisor.daemon import Daemon
from descartes_orchestrator.supervisor.house import House, Wanted
from descartes_orchestrator.supervisor.saving import Plain, SavedSession, known
from descartes_orchestrator.supervisor.session import Session


def saved_session(session: Session) -> SavedSession:
    """Return all that is known of a session that is settled."""
    failure = session.failure
    return SavedSession(
        wanted=asdict(session.wanted),
        state=session.state.value,
        restarts=session.restarts,
        failure=(failure.code, failure.message) if failure else None,
        was_ready=session.was_ready,
        lets_go=session.lets_go,
        is_stuck=session.is_stuck,
        early_deaths=session.deaths.early,
        deaths=tuple(session.deaths.times),
        daemon=_plain(session.daemon) if session.daemon else None,
        **session.belongings.saved(),
    )


def restored_session(saved: SavedSession, house: House) -> Session:
    """Make it again.

    Raises:
        ValueError: it is in no state that we know.
        TypeError: something is missing that we need.
        OSError: a descriptor is not there.

    """
    ports = saved.wanted.get("ports")
    wanted = Wanted(**{**known(Wanted, saved.wanted), "ports": tuple(ports) if ports else None})
    session = Session(wanted, house)
    session.state = State(saved.state)
    session.restarts = saved.restarts
    session.failure = from_wire(*saved.failure) if saved.failure else None
    session.was_ready, session.lets_go, session.is_stuck = saved.was_ready, saved.lets_go, saved.is_stuck
    session.deaths.early, session.deaths.times = saved.early_deaths, deque(saved.deaths)
    session.daemon = _daemon(saved.daemon) if saved.daemon else None
    if session.daemon is not None and session.daemon.started is not None:
        try:
            session.guard(session.daemon)
        except Unavailable:  # it has ended while we began
            house.loop.later(0.0, lambda: session.daemon_ended(UNKNOWN))
    session.belongings.restore(saved)
    return session


def _plain(daemon: Daemon) -> Plain:
    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(daemon).items()}


def _daemon(told: Plain) -> Daemon:
    return Daemon(**{**known(Daemon, told), "log": Path(told["log"])})
