"""A machine of the test's own: a home, in a network of its own, and who runs there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from descartes_core.errors import DescartesError
from descartes_core.ids import HUB_ID
from descartes_local.home import Home
from descartes_local.processes import Process, process_of
from descartes_local.rpc_client import Connection, call
from descartes_local.supervisor_file import read_supervisor_file
from tests.support.leftovers import end_everything, logs_of, wait_and_kill
from tests.support.person import Person
from tests.support.storm import PATIENCE, run_of
from tests.support.waiting import process_gone, wait_until
from tests.support.wire import Host

#: Many deaths in a row are the point: the rule that gives up has tests of its own.
_PATIENT = "[supervisor]\nearly_deaths = 10000\ndeaths = 10000\nfirst_pause = 0.01\nlongest_pause = 0.05\n"


class Machine:
    """One home on one machine; `session` is the one that is looked at."""

    def __init__(self, directory: Path, host: Host, configured: str = "") -> None:
        directory.mkdir(parents=True)
        self.home = Home(directory / ".descartes")
        self.address = host.address
        settings = {"DESCARTES_HOME": str(self.home.path)}
        self.person = Person(directory, tuple(host.command()), settings)
        self.home.make()
        (self.home.path / "config.toml").write_text(_PATIENT + configured)
        self.session = ""

    def run(self, *words: object, **how: Any) -> Any:
        """Run a command there and return what it prints as JSON."""
        return self.person.run(*words, "--json", timeout=PATIENCE, **how).json

    def end(self) -> set[str]:
        """End all that runs there, and return what had to be killed."""
        self.person.run("hub", "stop", check=False, timeout=PATIENCE)
        end_everything(self.home)
        if stayed := wait_and_kill(self.person.directory):
            print(logs_of(self.home))
        return set(stayed.values())

    def pid(self, what: str) -> Process | None:
        """Return the hub, the session's daemon, or the supervisor, where it is there."""
        if what == "hub":
            return self._hub()
        if what == "daemon":
            run = run_of(self.home, self.session)
            return run.process if run.is_alive else None
        found = read_supervisor_file(self.home)
        return None if found is None else process_of(found.pid)

    def _hub(self) -> Process | None:
        try:
            return process_of(call(self.home.daemon_socket(HUB_ID), "hub.status", timeout=1.0)["pid"])
        except DescartesError:
            return None

    def find(self, what: str) -> Process:
        """Wait until it is there."""
        return wait_until(lambda: self.pid(what), f"there is a {what} at {self.address}", PATIENCE)

    def settle(self) -> None:
        """Wait until the supervisor has all that the session's daemon has."""
        wait_until(self._is_kept, f"what runs at {self.address} is kept", PATIENCE)

    def _is_kept(self) -> bool:
        run = run_of(self.home, self.session)
        try:
            with Connection(self.home.supervisor_socket, timeout=PATIENCE) as supervisor:
                listed = {one["id"]: one["pid"] for one in supervisor.call("list")["sessions"]}
            notices = call(run.socket, "session.info", timeout=PATIENCE)["session"]["notices"]
        except DescartesError:
            return False
        return listed.get(self.session) == run.pid and not any("supervisor" in notice for notice in notices)


def signal_all(processes: Iterable[Process], number: int) -> None:
    """Send a signal to those who live; who is killed has ended then."""
    there = [one for one in processes if process_of(one.pid) == one]
    for one in there:
        os.kill(one.pid, number)
    if number == signal.SIGKILL:
        for one in there:
            process_gone(one.pid)
