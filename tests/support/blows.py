"""What may happen to the processes that hold a person's sessions, at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from descartes_core.errors import DescartesError
from descartes_local.processes import process_of
from descartes_local.rpc_client import Connection
from descartes_local.run_file import RunFile
from descartes_local.supervisor_file import read_supervisor_file
from tests.support.person import Person
from tests.support.place import Place
from tests.support.storm import PATIENCE, ask, run_of
from tests.support.waiting import process_gone, wait_until

_STOPPED = 0.3


class Blows:
    """Each is struck at a random moment; none of them may cost anything."""

    def __init__(self, person: Person, places: Sequence[Place], dice: random.Random) -> None:
        self._person, self._places, self._dice = person, places, dice
        self.struck: Counter[str] = Counter()

    def strike(self, name: str) -> None:
        """Wait for a random moment, and strike."""
        self._pause(0.4)
        print(time.strftime("%H:%M:%S"), name, flush=True)
        getattr(self, f"_{name}")()
        self.struck[name] += 1

    # One process.

    def _daemon(self) -> None:
        self._kill(self._mourned())

    def _stopped_daemon(self) -> None:
        """It stands still for a while, and is killed in that."""
        run = self._run(self._place())
        self._signal(run.pid, signal.SIGSTOP)
        self._pause(_STOPPED)
        self._kill(run.pid)

    def _resting_daemon(self) -> None:
        """It stands still for a while, and goes on."""
        run = self._run(self._place())
        self._signal(run.pid, signal.SIGSTOP)
        self._pause(_STOPPED)
        self._signal(run.pid, signal.SIGCONT)

    def _supervisor(self) -> None:
        """Nothing is lost as long as every daemon lives, and it had all of them."""
        self.settle()
        pid = self._supervisor_pid()
        self._place().mourn(pid)
        self._kill(pid)
        self.settle()

    def _resting_supervisor(self) -> None:
        """It stands still while a daemon dies."""
        pid, daemon = self._supervisor_pid(), self._mourned()
        self._signal(pid, signal.SIGSTOP)
        self._kill(daemon)
        self._pause(_STOPPED)
        self._signal(pid, signal.SIGCONT)

    def _fork_server(self) -> None:
        if (pid := self._fork_server_pid()) is not None:
            self._kill(pid)

    # Two at a time.

    def _fork_server_and_daemon(self) -> None:
        self._fork_server()
        self._daemon()

    def _daemon_in_renewal(self) -> None:
        """The supervisor renews itself while a daemon dies."""
        before = self._supervisor_pid()
        with self._command("supervisor", "upgrade") as renewal:
            self._pause(_STOPPED)
            self._daemon()
            _, said = renewal.communicate(timeout=PATIENCE)
        # Refused, while a daemon is being started all the time; never another process.
        assert renewal.returncode == 0 or b"Traceback" not in said, said
        assert self._supervisor_pid() == before

    def _restart(self) -> None:
        """All daemons give way to new ones; one of them may have died just before."""
        with self._command("sessions", "restart", "--all") as restart:
            _, said = restart.communicate(timeout=PATIENCE)
        assert restart.returncode == 0, said

    def _daemon_in_restart(self) -> None:
        """A daemon dies while all give way: it is followed by another as ever."""
        daemon = self._mourned()
        with self._command("sessions", "restart", "--all") as restart:
            self._pause(2 * _STOPPED)
            self._kill(daemon)
            _, said = restart.communicate(timeout=PATIENCE)
        assert restart.returncode == 0 or b"Traceback" not in said, said

    def _daemon_at_rest_in_hand_over(self) -> None:
        """One daemon stands still while all hand themselves over to the next supervisor."""
        self.settle()
        run = self._run(self._place())
        self._kill(self._supervisor_pid())
        self._pause(_STOPPED)
        self._signal(run.pid, signal.SIGSTOP)
        self._pause(_STOPPED)
        self._signal(run.pid, signal.SIGCONT)
        self.settle()

    def settle(self) -> None:
        """Wait until a living supervisor has all that every living daemon has."""
        for place in self._places:
            wait_until(lambda place=place: self._is_kept(place), f"{place.shop.name} is kept", PATIENCE)  # type: ignore[misc]

    def _is_kept(self, place: Place) -> bool:
        run = run_of(self._person.home, place.id)
        try:
            listed = self._tell("list")["sessions"]
            with Connection(run.socket, timeout=PATIENCE) as connection:
                notices = connection.call("session.info", {})["session"]["notices"]
        except DescartesError:
            return False
        served = {one["id"]: one["pid"] for one in listed if one["status"] == "Active"}
        return served.get(place.id) == run.pid and not any("supervisor" in notice for notice in notices)

    def _command(self, *words: str) -> subprocess.Popen[bytes]:
        return self._person.start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def _mourned(self) -> int:
        """Return a daemon that answers, with whose end an agent will end."""
        place = self._place()
        run = self._run(place)
        place.mourn(run.pid)
        return run.pid

    def _place(self) -> Place:
        return self._dice.choice(self._places)

    def _run(self, place: Place) -> RunFile:
        """Return a daemon that answers."""
        return wait_until(lambda: self._answering(place), f"{place.shop.name} answers", PATIENCE)

    def _answering(self, place: Place) -> RunFile | None:
        run = run_of(self._person.home, place.id)
        ask(run.socket, "session.info", {})
        return run if run == run_of(self._person.home, place.id) and run.is_alive else None

    def _supervisor_pid(self) -> int:
        found = wait_until(lambda: read_supervisor_file(self._person.home), "there is a supervisor", PATIENCE)
        return found.pid

    def _fork_server_pid(self) -> int | None:
        pid: int | None = self._tell("status")["fork_server"]["pid"]
        return pid

    def _tell(self, method: str) -> Any:
        with Connection(self._person.home.supervisor_socket, timeout=PATIENCE) as connection:
            return connection.call(method)

    def _kill(self, pid: int) -> None:
        self._signal(pid, signal.SIGKILL)
        process_gone(pid)

    def _signal(self, pid: int, number: int) -> None:
        if process_of(pid) is not None:
            os.kill(pid, number)

    def _pause(self, longest: float) -> None:
        # A random moment is what is wanted here; nothing waits for it.
        threading.Event().wait(self._dice.uniform(0.0, longest))
