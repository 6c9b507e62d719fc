"""The supervisor's verbs: what a call asks, and how it is answered."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from descartes_core import VERSION
from descartes_core.errors import AgentsAlive, InvalidParams, MethodNotFound
from descartes_core.ids import is_id
from descartes_core.jsonrpc import Call
from descartes_local.descriptors import limit_of_descriptors, open_descriptors
from descartes_local.processes import Process, command_of, is_alive
from descartes_orchestrator.supervisor.connections import Answer
from descartes_orchestrator.supervisor.departure import Departure
from descartes_orchestrator.supervisor.handing_over import Arrivals
from descartes_orchestrator.supervisor.house import Wanted
from descartes_orchestrator.supervisor.reaping import is_our_child
from descartes_orchestrator.supervisor.renewal import Renewal
from descartes_orchestrator.supervisor.saving import SavedState
from descartes_orchestrator.supervisor.sessions import Sessions

#: They name the agent a caller lives in, and would make the daemon look like a part of it.
_NOT_FOR_DAEMONS = ("DESCARTES_AGENT_ID", "DESCARTES_HOOK_ID", "DESCARTES_SESSION_ID", "DESCARTES_SOCKET")
_LONGEST_GRACE = 3600.0

Params = dict[str, Any]


class Commands:
    """Answers calls."""

    def __init__(
        self,
        sessions: Sessions,
        arrivals: Arrivals,
        renewal: Renewal,
        before: SavedState,
        departure: Departure,
    ) -> None:
        self._sessions, self._renewal, self._before = sessions, renewal, before
        self._arrivals, self._departure = arrivals, departure
        arrivals.do = self.take_again
        self._verbs: dict[str, Callable[[Params], Any]] = {
            "ping": lambda _: {"pid": os.getpid(), "version": VERSION, "ends": self._departure.is_asked},
            "status": self._status,
            "list": lambda _: {"sessions": self._sessions.listed(), "services": self._sessions.services()},
            "exit_status": self._exit_status,
            "orphans": self._orphans,
            "renamed": self._renamed,
            "shutdown": self._shutdown,
        }

    def take(self, call: Call, answer: Answer) -> None:
        """Answer a call, now or, for start and stop, once it is done; what waits for the next supervisor, by it.

        Raises:
            DescartesError: why it is refused.

        """
        is_there = self._sessions.has_daemon(str(call.params.get("id")))
        starts = call.method == "restart" or (call.method == "start" and not is_there)
        if not self._arrivals.holds(call, answer) and not self._renewal.holds(call, answer, starts=starts):
            self._do(call, answer)

    def take_again(self, _: Call, answer: Answer) -> None:
        """Answer a call that has waited, for us or with us."""
        answer.by(self._do)

    def _do(self, call: Call, answer: Answer) -> None:
        if call.method == "start":
            self._sessions.start(_wanted(call.params), answer)
        elif call.method == "stop":
            self._sessions.stop(_text(call.params, "id"), _grace(call.params), answer)
        elif call.method == "restart":
            self._sessions.restart(_text(call.params, "id"), answer)
        elif call.method == "suspect":
            self._sessions.suspect(_text(call.params, "id"), answer)
        elif call.method == "upgrade":
            self._renewal.ask(_interpreter(call.params), answer)
        elif call.method == "committed":
            self._sessions.reaper.committed(_process(call.params), answer.asker.pid)
            answer.give({})
        elif call.method == "serving":
            answer.give(self._arrivals.serving(_text(call.params, "id"), answer.asker))
        elif call.method == "hand_over":
            answer.give(self._arrivals.begin(_wanted(call.params), _process(call.params), answer.asker))
        elif call.method == "handed_over":
            answer.give(self._arrivals.finish(_text(call.params, "id"), answer.asker))
        elif call.method in self._verbs:
            answer.give(self._verbs[call.method](call.params))
        else:
            raise MethodNotFound(f"the supervisor knows no {call.method[:100]!r}")

    def _status(self, _: Params) -> Params:
        listed = self._sessions.listed()
        return {
            "pid": os.getpid(),
            "version": VERSION,
            "stamp": self._renewal.stamp,
            "python": self._renewal.interpreter,
            "started_at": self._before.started_at,
            "renewals": self._before.renewals,
            "renewal_failed": self._renewal.failure,
            "stays": self._departure.stays,
            "sessions": len(listed),
            "services": [service["name"] for service in self._sessions.services()],
            "kept": sum(session["kept"] for session in listed),
            "restarts": sum(session["restarts"] for session in listed),
            "fork_server": self._sessions.forks.told(),
            "descriptors": open_descriptors(),
            "descriptors_limit": limit_of_descriptors(),
            "not_keeping": sorted(session["name"] for session in listed if session["trouble"]),
        }

    def _exit_status(self, params: Params) -> Params:
        process = _process(params)
        ending = self._sessions.reaper.ending_of(process)
        return {
            # A child may look dead whose first thread has ended.
            "ended": ending is not None or not (is_our_child(process) or is_alive(process)),
            "known": ending is not None,
            "exit_code": ending.exit_code if ending else None,
            "signal": ending.signal if ending else None,
        }

    def _orphans(self, params: Params) -> Params:
        found = sorted(self._sessions.orphans(_text(params, "session_id")))
        return {
            "processes": [
                {"pid": process.pid, "started": process.started, "command": command_of(process.pid)}
                for process in found
            ]
        }

    def _renamed(self, params: Params) -> Params:
        self._sessions.rename(_text(params, "id"), _text(params, "name"))
        return {}

    def _shutdown(self, _: Params) -> Params:
        held = [*self._sessions.listed(), *self._sessions.services()]
        busy = [one["name"] for one in held if not one["at_rest"]]
        if busy:
            raise AgentsAlive(f"not everything is stopped: {', '.join(sorted(busy))}; stop them first")
        self._departure.end()
        return {}


def _wanted(params: Params) -> Wanted:
    identity = _text(params, "id")
    if not is_id(identity):
        raise InvalidParams("id must be a UUID")
    path, config = _text(params, "path"), params.get("config")
    if not Path(path).is_absolute():
        raise InvalidParams("path must be absolute")
    return Wanted(
        id=identity,
        name=_text(params, "name"),
        path=path,
        ports=_ports(params.get("ports")),
        config=None if config is None else _text(params, "config"),
        environment=_environment(params.get("env", {})),
    )


def _text(params: Params, name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidParams(f"{name} must be a text, and not empty")
    return value


def _interpreter(params: Params) -> str:
    path = _text(params, "python")
    if not os.path.isabs(path) or not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise InvalidParams(f"python must be the absolute path of a program: {path[:300]}")
    return path


def _number(params: Params, name: str) -> int:
    value = params.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise InvalidParams(f"{name} must be a number")
    return value


def _process(params: Params) -> Process:
    return Process(_number(params, "pid"), _number(params, "started"))


def _grace(params: Params) -> float | None:
    value = params.get("grace")
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LONGEST_GRACE:
        raise InvalidParams(f"grace must be a number of seconds, at most {_LONGEST_GRACE:g}")
    return float(value)


def _ports(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or any(type(port) is not int for port in value):
        raise InvalidParams("ports must be two numbers: HTTP, WebSocket")
    http, ws = value
    # What cannot be bound is only a wish that cannot be granted.
    return (http, ws) if 0 < http < 65_536 and 0 < ws < 65_536 and http != ws else None


def _environment(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise InvalidParams("env must be an object")
    for name, text in value.items():
        if not name.startswith("DESCARTES_") or not name.replace("_", "").isalnum() or not name.isascii():
            raise InvalidParams(f"env may hold DESCARTES_ variables, not {name[:100]!r}")
        if not isinstance(text, str) or "\0" in text:
            raise InvalidParams(f"{name} must be a text")
    return {name: text for name, text in value.items() if name not in _NOT_FOR_DAEMONS}
