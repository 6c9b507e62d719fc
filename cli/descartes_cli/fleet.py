"""All sessions and agents, as their daemons and stores tell."""

from __future__ import annotations

from typing import Any

from descartes_cli.asking import Question, ask_all
from descartes_cli.stored import stored_agents, stored_sessions
from descartes_core.agent_life import FINAL
from descartes_core.errors import DescartesError
from descartes_core.ids import short
from descartes_local.home import Home
from descartes_local.run_file import RunFile, read_run_files
from descartes_orchestrator import sessions as known_sessions

#: The key of the supervisor among the daemons that are asked.
_SUPERVISOR = "supervisor"


def look(home: Home, everything: bool, only: str | None) -> dict[str, Any]:
    """Return what ps --json prints, and the sessions in Error."""
    runs = [run for run in read_run_files(home) if only in (None, run.session_id)]
    questions = {run.session_id: Question(run.socket, "agent.list", {"all": everything}) for run in runs}
    answers = ask_all({**questions, _SUPERVISOR: Question(str(home.supervisor_socket), "list", {})})
    failed = [
        entry
        for entry in _unless_error(answers[_SUPERVISOR], {"sessions": []})["sessions"]
        if entry["status"] == "Error" and only in (None, entry["id"])
    ]
    seen: dict[str, Any] = {"sessions": [], "agents": [], "unattributed": [], "failed": failed}
    for run in runs:
        stored: dict[str, Any] = {"agents": None, "unattributed": []}
        answer = _unless_error(answers[run.session_id], stored)
        is_silent = answer is stored
        agents = stored_agents(home, run.session_id, ended=everything) if is_silent else answer["agents"]
        seen["sessions"].append(_living(run, agents, is_silent))
        seen["agents"] += agents
        seen["unattributed"] += answer["unattributed"]
    told = {run.session_id for run in runs}
    for entry in failed:
        if entry["id"] not in told:
            _add_resting(seen, home, entry["id"], entry["name"], entry["path"], "Error", everything)
            told.add(entry["id"])
    if everything:
        _add_inactive(seen, home, told, only)
    return seen


def _unless_error(answer: Any, instead: dict[str, Any]) -> dict[str, Any]:
    return instead if isinstance(answer, DescartesError) else answer


def _living(run: RunFile, agents: list[dict[str, Any]], is_silent: bool) -> dict[str, Any]:
    return {
        "id": run.session_id,
        "name": run.name,
        "path": run.path,
        "status": "Starting" if is_silent and not run.is_alive else "Active",
        "pid": None if is_silent else run.pid,
        "http_endpoint": run.http_endpoint,
        "ws_endpoint": run.ws_endpoint,
        "started_at": run.started_at,
        "agents": _living_count(agents),
    }


def _living_count(agents: list[dict[str, Any]]) -> int:
    return sum(agent["status"] not in FINAL for agent in agents)


def _add_inactive(seen: dict[str, Any], home: Home, told: set[str], only: str | None) -> None:
    known = {session.id: session for session in known_sessions.known(home)}
    for session_id in sorted({*known, *stored_sessions(home)} - told):
        if only not in (None, session_id):
            continue
        session = known.get(session_id)
        name, path = (session.name, str(session.path)) if session else (short(session_id), "")
        status = session.status.value if session else "Inactive"
        _add_resting(seen, home, session_id, name, path, status, True)


def _add_resting(
    seen: dict[str, Any], home: Home, session_id: str, name: str, path: str, status: str, everything: bool
) -> None:
    """Add a session without a daemon, and what its store says."""
    agents = stored_agents(home, session_id, ended=everything)
    resting = {"id": session_id, "name": name, "path": path, "status": status, "pid": None}
    nowhere = {"http_endpoint": None, "ws_endpoint": None, "started_at": None, "agents": _living_count(agents)}
    seen["sessions"].append(resting | nowhere)
    seen["agents"] += agents
