"""Hub, runner and daemon are killed or held still at random moments, alone and together, under floods."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import DescartesError
from descartes_core.ids import new_id
from descartes_local.processes import process_of
from descartes_local.rpc_client import call
from descartes_local.run_file import read_run_files
from tests.support.lent import Lent, lent
from tests.support.person import Person
from tests.support.programs import agent

SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
#: A storm on a busy machine settles slowly.
PATIENCE = 180.0
MANY_DEATHS = "[supervisor]\nearly_deaths = 10000\ndeaths = 10000\nfirst_pause = 0.01\nlongest_pause = 0.05\n"


class Storm:
    """Strikes one or two of the three, again and again."""

    def __init__(self, both: Lent, dice: random.Random) -> None:
        self._both, self._dice = both, dice
        self.struck: Counter[str] = Counter()

    def strike(self) -> None:
        """Kill, or hold still for a while, one or two at once; each finds out by itself."""
        names = self._dice.sample(["hub", "runner", "daemon"], self._dice.choice([1, 1, 2]))
        pids = {name: pid for name in names if (pid := self._pid_of(name))}
        held = [pid for name, pid in pids.items() if self._send(name, pid) is signal.SIGSTOP]
        if held:
            # A time is what is wanted here: shorter and longer than what makes a peer lost.
            threading.Event().wait(self._dice.uniform(0.1, 8.0))
        for pid in held:
            _send(pid, signal.SIGCONT)

    def _send(self, name: str, pid: int) -> signal.Signals:
        number = self._dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
        if _send(pid, number):
            self.struck[f"{name} {number.name}"] += 1
        return number

    def _pid_of(self, name: str) -> int | None:
        if name == "hub":
            told = self._both.person.run("hub", "status", "--json", check=False)
            return json.loads(told.stdout).get("pid") if told.stdout.strip() else None
        home = self._both.person.home if name == "daemon" else self._both.there
        return next((run.pid for run in read_run_files(home)), None)


def _send(pid: int, number: signal.Signals) -> bool:
    with contextlib.suppress(ProcessLookupError):
        if process_of(pid) is not None:
            os.kill(pid, number)
            return True
    return False


class Flood:
    """An agent that knows what it says, and how it ends."""

    def __init__(self, both: Lent, code: int, seconds: float, *, tty: bool) -> None:
        self.code, self._told = code, both.person.directory / f"told-{code}"
        self._until = both.person.directory / "over"
        command = agent(
            *("loud", 10_000_000, "--block", 200, "--pause", 0.02, "--code", code),
            *("--until", self._until, "--checksum", self._told),
        )
        self.id = new_id()
        wish = {"agent_id": self.id, "request_id": new_id(), "command": command, "tty": tty, "on": "big", "queue": True}
        self.is_there = _asked_until(both, "agent.spawn", {**wish, "within": seconds}) is not None

    def complaints(self, both: Lent, ended: dict[str, Any]) -> list[str]:
        """Return what is not as it must be."""
        log, right = both.log(self.id), json.loads(self._told.read_text())
        said, wanted = (len(log), sha256(log).hexdigest()), (right["bytes"], right["sha256"])
        found = (
            [f"{self.id} ended with {ended['exit_code']}, not {self.code}"] if ended["exit_code"] != self.code else []
        )
        return found if said == wanted else [*found, f"{self.id} said {wanted}, and {said} is here"]


def _asked_until(both: Lent, method: str, params: dict[str, Any]) -> Any:
    """Ask whichever daemon there is, as a client does, the very same again where it died."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        with contextlib.suppress(OSError, ValueError):
            try:
                return both.ask(method, **params)
            except DescartesError as error:
                if error.code not in ("daemon_unreachable", "deadline_over"):
                    return None
    raise AssertionError(f"{method} was never answered")


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seconds", [pytest.param(60.0, id="60"), pytest.param(3600.0, id="3600")])
def test_no_storm_tears_a_log_or_starts_anything_twice(person: Person, seconds: float) -> None:
    print(f"STORM_SEED={SEED}")
    dice = random.Random(SEED)
    for home in (person.home.path, person.directory / "b" / ".descartes"):
        home.mkdir(parents=True)
        (home / "config.toml").write_text(MANY_DEATHS)
    with lent(person) as both:
        person.run("sessions", "start", both.shop)
        floods = [Flood(both, code, 60.0, tty=code % 2 == 0) for code in range(1, 5)]
        storm, ends = Storm(both, dice), time.monotonic() + seconds
        while time.monotonic() < ends:
            storm.strike()
            threading.Event().wait(dice.uniform(0.0, 3.0))
            if len(floods) < 12 and dice.random() < 0.3:
                floods.append(Flood(both, len(floods) + 1, 60.0, tty=dice.random() < 0.5))
        Path(person.directory / "over").touch()
        print(dict(storm.struck), len(floods))
        there = [one for one in floods if one.is_there]
        assert there, "nothing was begun: such a storm proves nothing"
        complaints = [why for one in there for why in one.complaints(both, _ended(both, one.id))]
        (run,) = read_run_files(both.there)
        on_runner = call(run.socket, "agent.list", {"all": True}, timeout=PATIENCE)["agents"]
        strangers = {one["id"] for one in on_runner} - {one.id for one in floods}
        alive = [one["id"] for one in on_runner if one["ended_at"] is None]
        assert (complaints, strangers, alive) == ([], set(), []), f"STORM_SEED={SEED}"


def _ended(both: Lent, identity: str) -> dict[str, Any]:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        waited = _asked_until(both, "agent.wait", {"agent_id": identity, "timeout": 20.0})
        if waited is not None and waited["ended"]:
            return dict(waited["agent"])
    raise AssertionError(f"{identity} never ended")
