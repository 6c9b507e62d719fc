"""Kill a home's supervisor, and wait until the next one keeps all that daemons have."""

from __future__ import annotations

import os
import random
import signal
import threading
from typing import Any

from descartes_local.home import Home
from descartes_local.run_file import RunFile, read_run_files
from descartes_local.supervisor_file import read_supervisor_file
from tests.support.storm import ask, run_of
from tests.support.waiting import process_gone, wait_until


def supervisor_pid(home: Home) -> int:
    """Return who it is, without asking it."""
    told = wait_until(lambda: read_supervisor_file(home), "a supervisor tells of itself")
    return told.pid


def kill_supervisor(home: Home) -> int:
    """Kill it; return its pid once it is gone."""
    pid = supervisor_pid(home)
    os.kill(pid, signal.SIGKILL)
    process_gone(pid)
    return pid


def next_supervisor(home: Home, killed: int) -> int:
    """Wait until another one keeps what all living daemons have, and return its pid."""
    pid = wait_until(lambda: (told := read_supervisor_file(home)) and told.pid != killed and told.pid, "the next one")
    for run in read_run_files(home):
        wait_until(lambda run=run: replaced(run)[-1:] == [pid], f"{run.name} is handed over", 30.0)  # type: ignore[misc]
    return int(pid)


def replaced(run: RunFile) -> list[int]:
    """Return the supervisors that a session's daemons have handed themselves over to."""
    events: list[dict[str, Any]] = []
    while page := ask(run.socket, "event.list", {"since": events[-1]["seq"] if events else 0, "limit": 1000})["events"]:
        events += page
    return [one["data"]["supervisor_pid"] for one in events if one["event_type"] == "supervisor_replaced"]


class TurnKiller(threading.Thread):
    """Kills the supervisor, then the daemon, in turn, at random moments after all was kept again."""

    def __init__(self, home: Home, session_id: str, times: int, dice: random.Random) -> None:
        super().__init__(name="killer")
        self._home, self._session_id, self._times, self._dice = home, session_id, times, dice
        self.killed: list[int] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Kill each that often."""
        try:
            for _ in range(self._times):
                self._pause()
                self.killed.append(kill_supervisor(self._home))
                next_supervisor(self._home, self.killed[-1])
                self._pause()
                self._kill_daemon()
        finally:
            self.over.set()

    def _pause(self) -> None:
        # A random moment is what is wanted here; nothing waits for it.
        threading.Event().wait(self._dice.uniform(0.0, 0.4))

    def _kill_daemon(self) -> None:
        before = run_of(self._home, self._session_id)
        os.kill(before.pid, signal.SIGKILL)
        self.killed.append(before.pid)
        process_gone(before.pid)
        ask(before.socket, "session.info", {})
        wait_until(lambda: run_of(self._home, self._session_id).pid != before.pid, "the next daemon", 30.0)
