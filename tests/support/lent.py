"""Two machines of one person: one has the hub and a session, the other one lends itself as a runner."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_local.home import Home
from descartes_local.rpc_client import call
from descartes_local.run_file import read_run_files
from tests.support.leftovers import end_everything
from tests.support.person import Person
from tests.support.serving import kill_daemon, only_run, said
from tests.support.waiting import process_gone, wait_until

#: What a runner that comes back, or a hub that is started anew, takes at most.
PATIENCE = 40.0


@dataclass
class Lent:
    """A session here, a runner there."""

    person: Person
    shop: Path
    there: Home
    runner: subprocess.Popen[Any]

    def spawn(self, *words: object) -> dict[str, Any]:
        """Start an agent on the runner."""
        agent: dict[str, Any] = self.person.run("spawn", self.shop, "--on", "big", "--json", *words).json
        return agent

    def ask(self, method: str, **params: Any) -> Any:
        """Ask the session's daemon, whichever that is by now."""
        return call(only_run(self.person.home).socket, method, params, timeout=PATIENCE)

    def get(self, agent: str) -> dict[str, Any]:
        """Return all that the session's daemon knows of an agent."""
        found: dict[str, Any] = self.ask("agent.get", agent_id=agent)["agent"]
        return found

    def until_said(self, agent: str, text: str) -> str:
        """Wait until it is here that an agent has said this."""
        return said(self.person.home, agent, text)

    def until_state(self, agent: str, *states: str) -> None:
        """Wait until an agent is so."""
        wait_until(lambda: self.get(agent)["status"] in states, f"{agent} is {states}", PATIENCE)

    def log(self, agent: str, stream: str = "output") -> bytes:
        """Return what is stored here of what an agent said."""
        (directory,) = self.person.home.path.glob(f"sessions/*/agents/{agent}")
        return (directory / f"{stream}.log").read_bytes()

    def kill_hub(self) -> None:
        """Kill the hub, and wait for the next one, which nobody has greeted yet."""
        pid = self._hub()
        os.kill(pid, signal.SIGKILL)
        process_gone(pid)
        wait_until(lambda: self._hub() not in (None, pid), "the next hub", PATIENCE)

    def _hub(self) -> Any:
        return self.person.run("hub", "status", "--json").json.get("pid")

    def kill_daemon(self) -> None:
        """Kill the session's daemon, and wait for the next one."""
        kill_daemon(self.person.home)

    def restart_daemon(self) -> None:
        """Replace the session's daemon by the next one."""
        self.person.run("sessions", "restart", "shop")

    def kill_runner(self) -> None:
        """Kill the runner's daemon, whose agents go on, and wait for the next one."""
        kill_daemon(self.there)

    @property
    def runner_pid(self) -> int:
        """The runner's daemon."""
        (run,) = read_run_files(self.there)
        return run.pid


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as tried:
        return int(tried.getsockname()[1])


@contextlib.contextmanager
def lent(person: Person) -> Iterator[Lent]:
    """Begin with both at the hub; at the end nothing runs on either."""
    shop = person.workspace()
    person.run("hub", "start", "--endpoint", f"tcp://127.0.0.1:{_free_port()}", "--name", "laptop")
    token = person.run("hub", "enroll", "--name", "big", "--label", "gpu").stdout.split()[0]
    there = Home(person.directory / "b" / ".descartes")
    environment = {**os.environ, "DESCARTES_HOME": str(there.path)}
    runner = person.start("runner", token, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _is_there(person), "the runner", PATIENCE)
        yield Lent(person, shop, there, runner)
    finally:
        runner.send_signal(signal.SIGINT)
        runner.send_signal(signal.SIGINT)
        runner.kill()
        runner.wait()
        person.run("hub", "stop", check=False)
        end_everything(person.home)
        end_everything(there)


def _is_there(person: Person) -> bool:
    runners = person.run("runners", "list", "--json").json["runners"]
    return [one["state"] for one in runners] == ["Connected"]
