"""What doctor sees of the supervisor, the daemons and their agents."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from descartes_cli.asking import Question, ask_all
from descartes_cli.remark import Remark, ok, warning, wrong
from descartes_cli.skew import remark as skew_remark
from descartes_cli.strays import look_for_strays
from descartes_core import VERSION
from descartes_core.errors import DescartesError
from descartes_core.ids import short
from descartes_local.code_stamp import loaded_stamp
from descartes_local.home import Home
from descartes_local.peer import is_held
from descartes_local.run_file import RunFile, read_run_files

_SUPERVISOR = "supervisor"
_ASKED = ("system.health", "session.info", "agent.list", "system.stats")
#: Of the descriptors a daemon may open: beyond this little is left for agents.
_MANY = 0.8


def look_at_fleet(home: Home) -> Iterator[Remark]:
    """Walk over what is to be said of everything that runs."""
    runs = read_run_files(home)
    questions = {f"{method} {run.session_id}": Question(run.socket, method, {}) for run in runs for method in _ASKED}
    status = Question(str(home.supervisor_socket), "status", {})
    sessions = Question(str(home.supervisor_socket), "list", {})
    answers = ask_all({**questions, _SUPERVISOR: status, "list": sessions})
    yield from _supervisor(
        answers[_SUPERVISOR], is_needed=any(run.is_alive and run.keeper != "systemd" for run in runs)
    )
    held = [] if isinstance(answers["list"], DescartesError) else answers["list"]["sessions"]
    for entry in held:
        if entry.get("trouble"):
            yield wrong(
                f"session {entry['name']}",
                f"the supervisor keeps no further agent of it: {entry['trouble']}",
                "descartes kill some agents, of this session or of others",
            )
        if entry["status"] == "Error":
            yield wrong(
                f"session {entry['name']}",
                f"was given up: {entry['error'] or 'unknown'}",
                f"descartes sessions start {shlex.quote(entry['name'])} tries again; {_log_of(home, entry['id'])}",
            )
    for run in runs:
        yield from _daemon(home, run, {method: answers[f"{method} {run.session_id}"] for method in _ASKED})
    yield from _stale_sockets(home, {run.socket for run in runs}, {entry["id"] for entry in held})
    yield from _strays(home)


def _supervisor(answer: Any, *, is_needed: bool) -> Iterator[Remark]:
    if not isinstance(answer, DescartesError):
        if answer["version"] != VERSION:
            text = f"is of version {answer['version']}, this command of {VERSION}"
            yield warning(_SUPERVISOR, text, "descartes supervisor upgrade")
        elif answer.get("stamp") != loaded_stamp():
            failed = answer.get("renewal_failed")
            text = "runs other code than is installed" + (f", and could not be renewed: {failed}" if failed else "")
            yield warning(_SUPERVISOR, text, "descartes supervisor upgrade")
        else:
            yield ok(
                _SUPERVISOR, f"pid {answer['pid']}, keeps {answer['kept']} agents in {answer['sessions']} sessions"
            )
    elif is_needed:
        yield wrong(
            _SUPERVISOR,
            f"does not answer ({answer.message}), and daemons run: agents would not survive theirs",
            "descartes sessions start any session: it starts a supervisor",
        )
    else:
        yield ok(_SUPERVISOR, "none runs; the next command that needs one starts it")


def _daemon(home: Home, run: RunFile, answers: Mapping[str, Any]) -> Iterator[Remark]:
    about, health = f"session {run.name}", answers["system.health"]
    if not run.is_alive and isinstance(health, DescartesError):
        path = shlex.quote(str(home.run_file(run.session_id)))
        yield warning(about, f"its run file tells of pid {run.pid}, which has ended", f"rm {path}")
        return
    if isinstance(health, DescartesError):
        do = f"kill -9 {run.pid}: the next daemon goes on with its agents"
        yield wrong(about, f"its daemon (pid {run.pid}) does not answer: {health.message}", do)
        return
    if health["status"] != "healthy":
        yield wrong(about, health["status"], _log_of(home, run.session_id))
    else:
        yield ok(about, f"pid {run.pid}, {run.http_endpoint}")
    if run.version != VERSION:
        yield warning(about, skew_remark(run), "descartes upgrade")
    elif run.keeper and run.stamp not in ("", loaded_stamp()):
        yield warning(about, "its daemon runs other code than is installed now", "descartes upgrade")
    yield from _notices(about, run, answers["session.info"])
    yield from _agents(about, answers["agent.list"])
    yield from _counters(about, answers["system.stats"])


def _notices(about: str, run: RunFile, answer: Any) -> Iterator[Remark]:
    if not isinstance(answer, DescartesError):
        for notice in answer["session"]["notices"]:
            yield warning(about, notice, f"descartes sessions show {shlex.quote(run.name)} tells more")


def _agents(about: str, answer: Any) -> Iterator[Remark]:
    if isinstance(answer, DescartesError):
        return
    for process in answer["unattributed"]:
        text = f"process {process['pid']} was left by an agent, and bears no mark of which: {process['command']}"
        yield warning(about, text, f"kill {process['pid']}, or leave it: it ends with the session")
    for agent in answer["agents"]:
        if agent["notice"]:
            yield warning(f"agent {agent['name']}", agent["notice"], f"descartes logs {short(agent['id'])}")
        elif agent["status"] == "lost":
            yield warning(f"agent {agent['name']}", "is lost", f"descartes kill {short(agent['id'])} gives it up")


def _counters(about: str, answer: Any) -> Iterator[Remark]:
    if isinstance(answer, DescartesError) or "descriptors" not in answer:
        return
    used, limit = answer["descriptors"], answer["descriptors_limit"]
    if used > limit * _MANY:
        yield warning(about, f"{used} of {limit} descriptors are open", "end agents, or raise the limit (ulimit -Hn)")


def _stale_sockets(home: Home, used: set[str], held: set[str]) -> Iterator[Remark]:
    known = {*used, str(home.supervisor_socket), *(str(home.daemon_socket(identity)) for identity in held)}
    try:
        found = [path for path in home.sockets.iterdir() if path.suffix == ".sock" and str(path) not in known]
    except OSError:
        return
    for path in found:
        if not is_held(path):
            yield warning("sockets", f"nobody listens at {path}", f"rm {shlex.quote(str(path))}")


def _strays(home: Home) -> Iterator[Remark]:
    for stray in look_for_strays(home):
        about = f"session {short(stray.session_id)}"
        text = (
            f"process {stray.process.pid} of agent {short(stray.agent_id)} lives, and nobody serves it: {stray.command}"
        )
        yield warning(
            about, text, f"descartes sessions start {short(stray.session_id)} goes on with it; descartes gc ends it"
        )


def _log_of(home: Home, session_id: str) -> str:
    return f"its log is {shlex.quote(str(home.session(session_id) / 'daemon.log'))}"
