"""A fresh HOME with a running session, for one bench."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_core.ids import new_id
from descartes_local.processes import stat_of
from descartes_local.rpc_client import Connection
from descartes_local.run_file import RunFile, read_run_files
from tests.support.leftovers import end_everything, wait_and_kill
from tests.support.lent import Lent, lent
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.serving import only_run


@dataclass(frozen=True, slots=True)
class Ground:
    """A person with one running session."""

    person: Person
    workspace: Path
    daemon: RunFile

    def connect(self) -> Connection:
        """Open a connection to the daemon."""
        return Connection(self.daemon.socket, timeout=300)

    def spawn(self, connection: Connection, command: list[str]) -> str:
        """Spawn an agent and return its id."""
        asked = {"agent_id": new_id(), "request_id": new_id(), "command": command, "env": dict(os.environ)}
        return str(connection.call("agent.spawn", asked)["agent"]["id"])

    def fill(self, count: int) -> None:
        """Spawn silent agents."""
        with self.connect() as connection:
            for _ in range(count):
                self.spawn(connection, agent("silent"))

    def supervisor(self) -> dict[str, Any]:
        """Return the supervisor's status."""
        with Connection(self.person.home.supervisor_socket) as connection:
            status: dict[str, Any] = connection.call("status")
            return status


@contextlib.contextmanager
def fresh_home() -> Iterator[Person]:
    """Give a person with a fresh HOME, also in the environment."""
    before = dict(os.environ)
    directory = Path(tempfile.mkdtemp(prefix="d", dir="/tmp"))
    for name in [name for name in os.environ if name.startswith("DESCARTES_")]:
        del os.environ[name]
    os.environ["HOME"] = str(directory)
    somebody = Person(directory)
    try:
        yield somebody
    finally:
        end_everything(somebody.home)
        wait_and_kill(directory)
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def running_session() -> Iterator[Ground]:
    """Give a session whose daemon runs under the supervisor."""
    with fresh_home() as somebody:
        workspace = somebody.workspace()
        somebody.run("sessions", "start", workspace)
        (run,) = read_run_files(somebody.home)
        yield Ground(somebody, workspace, run)


@contextlib.contextmanager
def session_with_runner() -> Iterator[tuple[Ground, Lent, dict[str, int]]]:
    """Give a session, a runner at its hub, and the processes of the three by their names."""
    with fresh_home() as somebody, lent(somebody) as both:
        somebody.run("sessions", "start", both.shop)
        run = only_run(somebody.home)
        hub = somebody.run("hub", "status", "--json").json["pid"]
        yield Ground(somebody, both.shop, run), both, {"daemon": run.pid, "hub": hub, "runner": both.runner_pid}


def cpu_seconds(pid: int) -> float:
    """Return the processor time a process has used, all threads."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        text = file.read()
    fields = text[text.rindex(b")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_of(pid: int) -> float:
    """Return the memory a process accounts for, in MB."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024


def wakeups_of(pid: int) -> int:
    """Return how often the threads of a process were switched, for whatever reason."""
    assert stat_of(pid) is not None, f"process {pid} is gone"
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as file:
            total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
    return total
