"""What may happen to those who hold a bus together, and to the wire between them, at random moments."""

from __future__ import annotations

import itertools
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence

from descartes_local.processes import Process
from tests.support.machine import Machine, signal_all
from tests.support.wire import Wire

#: Who can be struck: on which machine, and what. Where agents run, supervisor and daemon at once lose them by design.
_VICTIMS = {
    "hub": (0, "hub"),
    "daemon": (0, "daemon"),
    "supervisor": (0, "supervisor"),
    "runner": (1, "daemon"),
    "its supervisor": (1, "supervisor"),
}
#: The longest pause before a blow, and the longest time that somebody is held: others ask them meanwhile (seconds).
_PAUSE, _HELD = 0.5, 12.0


def combinations() -> list[tuple[str, ...]]:
    """Return every set of victims that costs nothing, the small ones first."""
    every = [each for size in (1, 2, 3, 4) for each in itertools.combinations(_VICTIMS, size)]
    return [each for each in every if not {"runner", "its supervisor"} <= set(each)]


class BusBlows:
    """Each is struck at a random moment; none of them may cost anything."""

    def __init__(self, wire: Wire, machines: Sequence[Machine], dice: random.Random, lengths: Sequence[float]) -> None:
        self._wire, self._machines, self._dice, self._lengths = wire, machines, dice, lengths
        self.struck: Counter[str] = Counter()

    def strike(self, victims: Sequence[str], how: str) -> None:
        """Wait for a random moment, and kill, hold up for a while, or hold up and kill; or cut the wire meanwhile."""
        self._heal()
        longest = self._dice.choice(self._lengths)
        for machine in self._machines if "its supervisor" in victims or "runner" in victims else ():
            machine.settle()
        self._pause(_PAUSE)
        print(time.strftime("%H:%M:%S"), how, *victims, flush=True)
        found = {name: self._find(name) for name in victims}
        if "cut" in how:
            self._wire.faults.is_cut = True
            self._pause(longest)
        if "hold" in how:
            signal_all(found.values(), signal.SIGSTOP)
            self._pause(min(longest, _HELD))
        if "kill" in how:
            signal_all(found.values(), signal.SIGKILL)
            self._pause(min(0.5, longest))
        else:
            signal_all(found.values(), signal.SIGCONT)
        self._wire.faults.is_cut = False
        self._revive(victims)
        self.struck[how] += 1
        self.struck.update(victims)

    def _find(self, name: str) -> Process:
        number, what = _VICTIMS[name]
        return self._machines[number if number == 0 else self._dice.randrange(1, len(self._machines))].find(what)

    def _heal(self) -> None:
        """Let the wire be bad in another way."""
        faults, dice = self._wire.faults, self._dice
        faults.delay, faults.jitter = dice.choice([(0.0, 0.0), (0.005, 0.005), (0.02, 0.03)])
        faults.loss = dice.choice([0.0, 0.01, 0.05])

    def _revive(self, victims: Sequence[str]) -> None:
        """Do what a person does where the supervisor died with those whom it would have started again."""
        if "supervisor" in victims:
            desk = self._machines[0]
            desk.run("sessions", "start", desk.session)
            desk.run("hub", "start")

    def _pause(self, longest: float) -> None:
        # A random moment is what is wanted here; nothing waits for it.
        threading.Event().wait(self._dice.uniform(0.0, longest))
