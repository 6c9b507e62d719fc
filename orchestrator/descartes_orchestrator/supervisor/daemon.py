"""A daemon's process, from its start until it is reaped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from descartes_core.errors import DaemonStartFailed
from descartes_core.ids import HUB_ID
from descartes_local.home import Home, make_private
from descartes_local.processes import Process, send_signal
from descartes_orchestrator.supervisor.belongings import Belongings
from descartes_orchestrator.supervisor.house import House, Wanted
from descartes_orchestrator.supervisor.recording import is_full, last_lines, size_of
from descartes_orchestrator.supervisor.start import Start


@dataclass(slots=True)
class Daemon:
    """One process, and what it said of itself."""

    pid: int
    name: str
    log: Path
    #: How long the log was before it wrote.
    log_start: int
    ready_at: float | None = None
    #: It said that it is about to end.
    is_leaving: bool = False
    #: When its process began, where it is somebody else's child: it handed itself over.
    started: int | None = None
    #: It has given us all that it had from the supervisor before.
    has_given: bool = False

    @property
    def process(self) -> Process:
        """Its process, where it is somebody else's child."""
        assert self.started is not None, "our own child needs no more than its pid"
        return Process(self.pid, self.started)

    def signal(self, number: int) -> None:
        """Send a signal; until it is reaped the pid of a child is nobody else's."""
        if self.started is not None:
            send_signal(self.process, number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def failure(self, why: str) -> DaemonStartFailed:
        """Return what those are told who wait for it: why, and the last lines it wrote."""
        lines = "".join(f"\n  {line}" for line in last_lines(self.log, start=self.log_start))
        # On a full disk it could not even say so.
        full = "; its disk is full" if is_full(self.log) else ""
        return DaemonStartFailed(f"the daemon of {self.name} {why}{full}; see {self.log}{lines}")


def log_of(home: Home, session: str) -> Path:
    """Return where the daemons of a session write, and where the hub does."""
    if session == HUB_ID:
        return home.log / "hub.log"
    return home.session(session) / "daemon.log"


def start_daemon(house: House, wanted: Wanted, belongings: Belongings, news: Mapping[str, str] | None = None) -> Daemon:
    """Open what must be open, and start a daemon with all of it.

    Raises:
        PortsTaken: no pair of ports is free.
        Unavailable: the session's directory cannot be used.
        OSError: something cannot be opened, or no process can be made.

    """
    sockets = belongings.open(wanted.ports, has_ports=wanted.is_session)
    log = log_of(house.home, wanted.id)
    make_private(log.parent)
    log_start = size_of(log)
    command = house.command(wanted, sockets.ports)
    environment = {
        **(wanted.environment or {}),
        **house.environment,
        **(news or {}),
        "NOTIFY_SOCKET": str(house.home.notify_socket(wanted.id)),
        "DESCARTES_SUPERVISOR": str(house.home.supervisor_socket),
    }
    start = Start(command, environment, belongings.descriptors(), log)
    pid = house.forks.start(start, f"descartes-daemon {wanted.name}")
    return Daemon(pid, wanted.name, log, log_start)
