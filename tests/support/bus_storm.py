"""A desk with hub and session, runners on other machines, and people who work with agents there."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.far_hand import FarHand, living
from tests.support.machine import Machine
from tests.support.storm import PATIENCE, ask, run_of
from tests.support.waiting import wait_until
from tests.support.wire import Wire

#: After a storm everybody finds together again; a machine under load takes its time (seconds).
_CALM = 120.0


class BusStorm:
    """Machines at one hub, each with its home."""

    def __init__(self, directory: Path, wire: Wire, dice: random.Random, configured: str = "") -> None:
        self.wire, self.over = wire, threading.Event()
        self.desk = Machine(directory / "desk", wire.hosts[0], configured)
        self.runners = [Machine(directory / f"r{n}", host) for n, host in enumerate(wire.hosts[1:], 1)]
        self.machines = [self.desk, *self.runners]
        self._dice, self._directory = dice, directory
        self.hands: list[FarHand] = []
        self._threads: list[threading.Thread] = []

    def begin(self, hands: int) -> None:
        """Start all, and let everybody work."""
        self.desk.run("hub", "start", "--endpoint", f"tcp://{self.desk.address}:5555", "--name", "desk")
        self.desk.session = self.desk.run("sessions", "start", self.desk.person.workspace("shop"))["id"]
        for number, runner in enumerate(self.runners, 1):
            token = self.desk.run("hub", "enroll", "--name", f"r{number}")["token"]
            runner.session = runner.run("runner", token, "--detach")["session_id"]
        for _ in range(hands):
            dice = random.Random(self._dice.random())
            self.hands.append(
                FarHand(self.desk.home, self.desk.session, self._directory, dice, self.over, dice.choice(self._where()))
            )
        self._threads = [threading.Thread(target=hand.work, name="hand") for hand in self.hands]
        for thread in self._threads:
            thread.start()

    def _where(self) -> list[str]:
        return ["any", *(f"r{number}" for number in range(1, len(self.runners) + 1))]

    def ask(self, method: str, **params: Any) -> Any:
        """Ask the session's daemon, whichever it is."""
        return ask(self.socket, method, params)

    @property
    def socket(self) -> str:
        """Where the session's daemon, whichever it is, is asked."""
        return run_of(self.desk.home, self.desk.session).socket

    def state(self, identity: str) -> str:
        """Return how an agent is, as the desk knows."""
        return str(self.ask("agent.get", agent_id=identity)["agent"]["status"])

    def log(self, identity: str) -> bytes:
        """Return what the desk has of what an agent said."""
        return (self.desk.home.session(self.desk.session) / "agents" / identity / "output.log").read_bytes()

    def has_process(self, identity: str) -> bool:
        """Say whether a process of an agent is there."""
        return identity in living()

    def settle(self) -> None:
        """Let everybody come to an end on a good wire."""
        self.over.set()
        faults = self.wire.faults
        faults.delay = faults.jitter = faults.loss = 0.0
        faults.is_cut = False
        for thread in self._threads:
            thread.join()
        for hand in self.hands:
            for identity in hand.spawned:
                wait_until(lambda one=identity: self._has_ended(one), f"{identity} has ended", _CALM)  # type: ignore[misc]
        wait_until(lambda: not self._at_runners(), "nothing runs on a runner", PATIENCE)

    def _has_ended(self, identity: str) -> bool:
        return bool(self.ask("agent.wait", agent_id=identity, timeout=PATIENCE)["ended"])

    def _at_runners(self) -> list[dict[str, Any]]:
        sockets = [run_of(one.home, one.session).socket for one in self.runners]
        return [agent for socket in sockets for agent in ask(socket, "agent.list", {})["agents"]]

    def complaints(self) -> list[str]:
        """Return what is not as it must be."""
        agents = {one["id"]: one for one in self.ask("agent.list", all=True)["agents"]}
        logs = self.desk.home.session(self.desk.session) / "agents"
        found = [f"{why}: {self._story(why)}" for hand in self.hands for why in hand.complaints(agents, logs)]
        for machine in self.machines:
            with closing(sqlite3.connect(machine.home.session(machine.session) / "state.db")) as store:
                found += [f"{row}" for row in store.execute(_TWICE)]
                found += [f"{row}" for row in store.execute("PRAGMA integrity_check") if row != ("ok",)]
            remarks = machine.person.run("doctor", "--json", check=False).json["remarks"]
            found += [f"{machine.address}: {one['text']}" for one in remarks if one["level"] == "error"]
        return found

    def _story(self, complaint: str) -> list[str]:
        """Return what every machine has stored of the agent that a complaint begins with."""
        story = []
        for machine in self.machines:
            with closing(sqlite3.connect(machine.home.session(machine.session) / "state.db")) as store:
                moves = store.execute(_MOVES, (complaint.partition(" ")[0],)).fetchall()
            story += [f"{machine.address}: {' '.join(map(str, move))}" for move in moves]
        return story


_MOVES = "SELECT at, cause, evidence FROM transitions WHERE agent = ? ORDER BY id"
_TWICE = (
    "SELECT agent_id, event_type FROM events WHERE event_type IN ('spawned', 'started', 'completed', 'killed')"
    " GROUP BY agent_id, event_type HAVING count(*) > 1"
)


@contextlib.contextmanager
def bus_storm(directory: Path, runners: int, dice: random.Random, configured: str = "") -> Iterator[BusStorm]:
    """Give machines; at the end nothing runs on any."""
    with Wire(1 + runners) as wire:
        storm = BusStorm(directory, wire, dice, configured)
        try:
            yield storm
        finally:
            storm.over.set()
            wire.faults.is_cut = False
            stayed = {what for machine in storm.machines for what in machine.end()}
            assert not stayed, f"left behind: {stayed}"
