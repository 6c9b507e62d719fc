"""Take over daemons that outlived the supervisor before us."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from descartes_core.errors import Forbidden, InvalidParams
from descartes_core.jsonrpc import Call
from descartes_local.home import Home
from descartes_local.processes import Process, process_of
from descartes_local.run_file import read_run_files
from descartes_orchestrator.supervisor.connections import Answer, Peer
from descartes_orchestrator.supervisor.daemon import Daemon, log_of
from descartes_orchestrator.supervisor.house import Wanted
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop
from descartes_orchestrator.supervisor.recording import size_of
from descartes_orchestrator.supervisor.sessions import Sessions

#: What tells of all sessions, or ends one, waits this long for those that live and have not come yet.
PATIENCE = 1.0
_WAIT = ("list", "restart", "shutdown", "status", "stop")
#: What a run file says of a daemon that a supervisor like us started.
_KEEPER = "supervisor"


class Arrivals:
    """Takes living daemons over; each connection of one tells us that it is one of ours."""

    def __init__(self, loop: Loop, home: Home, sessions: Sessions) -> None:
        self._home, self._sessions = home, sessions
        runs = [run for run in read_run_files(home) if run.keeper == _KEEPER and run.is_alive]
        self._expected = {run.session_id for run in runs if not sessions.has_daemon(run.session_id)}
        #: The connection by which each session's daemon would notice our end.
        self._lines: dict[str, Peer] = {}
        self._waiting: list[tuple[Call, Answer]] = []
        #: Does what waited; set by who knows the verbs.
        self.do: Callable[[Call, Answer], None] = lambda _call, _answer: None
        if self._expected:
            note(f"{len(self._expected)} daemons live that another supervisor started: they are expected")
            loop.later(PATIENCE, self._all_came)

    def holds(self, call: Call, answer: Answer) -> bool:
        """Say whether this call waits until all that live have come, or for a second."""
        waits = bool(self._expected) and call.method in _WAIT
        if waits:
            self._waiting.append((call, answer))
        return waits

    def serving(self, identity: str, peer: Peer) -> dict[str, Any]:
        """Hear from a daemon that this connection is to tell it of our end; say whether it is known here."""
        if not self._is_its_daemon(identity, peer) or not self._sessions.has_all_of(identity):
            return {"known": False}
        before = self._lines.get(identity)
        if before is not None and before is not peer:
            before.is_kin = False
        self._lines[identity], peer.is_kin = peer, True
        return {"known": True}

    def begin(self, wanted: Wanted, process: Process, peer: Peer) -> dict[str, Any]:
        """Take a daemon over: from now on it is heard, and what it gives is kept.

        Raises:
            Forbidden: it is another process that says so.
            Conflict: another daemon of this session is known.
            Unavailable: it has ended, or cannot be heard.

        """
        if peer.pid not in (0, process.pid) or process_of(process.pid) != process:
            raise Forbidden(f"pid {process.pid} must say so itself")
        log = log_of(self._home, wanted.id)
        daemon = Daemon(process.pid, wanted.name, log, size_of(log), time.monotonic(), started=process.started)
        self._sessions.take_over(wanted, daemon)
        note(f"session {wanted.id}: daemon {process.pid} hands itself over")
        return {"pid": os.getpid()}

    def finish(self, identity: str, peer: Peer) -> dict[str, Any]:
        """Hear that a daemon has given all it has.

        Raises:
            Forbidden: it is not this session's daemon.
            InvalidParams: its listening sockets are not among it.

        """
        if not self._is_its_daemon(identity, peer):
            raise Forbidden(f"it is not the daemon of session {identity}")
        if not self._sessions.taken_over(identity):
            raise InvalidParams("its listening sockets have not come: http, ws and rpc")
        self._expected.discard(identity)
        if not self._expected:
            self._all_came()
        return self.serving(identity, peer)

    def _is_its_daemon(self, identity: str, peer: Peer) -> bool:
        pid = self._sessions.daemon_of(identity)
        return pid is not None and peer.pid in (0, pid)

    def _all_came(self) -> None:
        for identity in self._expected:
            note(f"session {identity}: its daemon has not handed itself over within {PATIENCE:g} s")
        self._expected.clear()
        waiting, self._waiting = self._waiting, []
        for call, answer in waiting:
            self.do(call, answer)
