"""What `list` tells of each session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from descartes_core.session_life import State
from descartes_local.home import Home
from descartes_orchestrator.supervisor.daemon import log_of
from descartes_orchestrator.supervisor.recording import last_lines
from descartes_orchestrator.supervisor.standing import Standing


def rows(home: Home, sessions: Iterable[Standing]) -> list[dict[str, Any]]:
    """Return them by name."""
    return sorted((_row(home, session) for session in sessions), key=lambda row: (row["name"], row["id"]))


def _row(home: Home, session: Standing) -> dict[str, Any]:
    is_error = session.state is State.ERROR
    return {
        "id": session.id,
        "name": session.wanted.name,
        "path": session.wanted.path,
        "status": session.state.value,
        "pid": session.daemon_pid,
        "restarts": session.restarts,
        "kept": len(session.belongings.keeping.agents),
        "at_rest": session.is_at_rest,
        "trouble": session.belongings.trouble,
        "error": session.failure.message.splitlines()[0] if is_error and session.failure else None,
        "log_tail": last_lines(log_of(home, session.id)) if is_error else [],
    }
