"""All sessions and agents, as their daemons and stores tell."""

from __future__ import annotations

from typing import Any

from descartes_cli.asking import Question, ask_all
from descartes_core.agent_life import FINAL
from descartes_core.errors import DaemonUnreachable, DeadlineOver, DescartesError
from descartes_local.home import Home
from descartes_local.run_file import RunFile, read_run_file, read_run_files

#: The key of the supervisor among the daemons that are asked.
_SUPERVISOR = "supervisor"


def look(home: Home, everything: bool, only: str | None, *, usage: bool = False) -> dict[str, Any]:
    """Return what ps --json prints, on demand with what agents take, and the sessions in Error."""
    runs = {run.session_id: run for run in read_run_files(home) if only in (None, run.session_id)}
    wanted = {"all": everything} | ({"usage": True} if usage else {})
    questions = {key: Question(run.socket, "agent.list", wanted) for key, run in runs.items()}
    answers = ask_all({**questions, _SUPERVISOR: Question(str(home.supervisor_socket), "list", {})})
    _report_silent(home, runs, answers)
    held = [
        entry
        for entry in _unless_error(answers[_SUPERVISOR], {"sessions": []})["sessions"]
        if only in (None, entry["id"])
    ]
    failed = {entry["id"]: entry for entry in held if entry["status"] == "Error"}
    seen: dict[str, Any] = {"sessions": [], "agents": [], "unattributed": [], "failed": list(failed.values())}
    there = {key: run for key, run in runs.items() if key not in failed and _is_there(run, answers[key])}
    for key, run in there.items():
        _add_living(seen, home, run, answers[key], everything)
    resting = {key: (key, run.name, run.path, "Inactive") for key, run in runs.items() if key not in there}
    for entry in held:
        if entry["id"] not in there:
            resting[entry["id"]] = (entry["id"], entry["name"], entry["path"], entry["status"])
    if everything:
        from descartes_cli.resting import inactive_sessions  # what is known besides costs more imports

        resting |= {session[0]: session for session in inactive_sessions(home, there.keys() | resting.keys(), only)}
    for session in resting.values():
        _add_resting(seen, home, session, everything)
    for agent in () if usage else seen["agents"]:
        agent.pop("usage", None)  # a store tells it in any case
    return seen


def _report_silent(home: Home, runs: dict[str, RunFile], answers: dict[str, Any]) -> None:
    """Let the supervisor find out whether those hang that did not answer."""
    silent = [key for key, run in runs.items() if run.keeper and isinstance(answers[key], DeadlineOver)]
    if silent:
        from descartes_cli.hanging import report  # paid only where a daemon does not answer

        report(home, silent)


def _is_there(run: RunFile, answer: Any) -> bool:
    """Say whether a daemon lives or is being restarted; a run file alone may be older than the machine's last start."""
    return run.is_alive or not isinstance(answer, DaemonUnreachable)


def _add_living(seen: dict[str, Any], home: Home, run: RunFile, answer: Any, everything: bool) -> None:
    is_silent = isinstance(answer, DescartesError)
    if not run.is_alive:  # killed a moment ago: whoever answered has written another run file
        run = read_run_file(home.run_file(run.session_id)) or run
    agents = _stored(home, run.session_id, everything) if is_silent else answer["agents"]
    seen["sessions"].append(
        {
            "id": run.session_id,
            "name": run.name,
            "path": run.path,
            "status": "Active" if run.is_alive else "Starting",
            "pid": None if is_silent else run.pid,
            "http_endpoint": run.http_endpoint,
            "ws_endpoint": run.ws_endpoint,
            "started_at": run.started_at,
            "agents": _living_count(agents),
        }
    )
    seen["agents"] += agents
    seen["unattributed"] += [] if is_silent else answer["unattributed"]


def _unless_error(answer: Any, instead: dict[str, Any]) -> dict[str, Any]:
    return instead if isinstance(answer, DescartesError) else answer


def _living_count(agents: list[dict[str, Any]]) -> int:
    return sum(agent["status"] not in FINAL for agent in agents)


def _stored(home: Home, session_id: str, everything: bool) -> list[dict[str, Any]]:
    from descartes_cli.stored import stored_agents  # paid only where a daemon does not answer

    return stored_agents(home, session_id, ended=everything)


def _add_resting(seen: dict[str, Any], home: Home, session: tuple[str, str, str, str], everything: bool) -> None:
    """Add a session without a daemon (id, name, path, status) and what its store says, where somebody wants to know."""
    identity, name, path, status = session
    agents = _stored(home, identity, everything)
    if not everything and not agents and status != "Error":
        return
    resting = {"id": identity, "name": name, "path": path, "status": status, "pid": None}
    nowhere = {"http_endpoint": None, "ws_endpoint": None, "started_at": None, "agents": _living_count(agents)}
    seen["sessions"].append(resting | nowhere)
    seen["agents"] += agents
