"""Run commands of which any, or the daemon they speak with, is killed at a random moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from descartes_local.processes import process_of
from descartes_local.run_file import read_run_files
from tests.support.person import Person, Ran

#: Longer than any command takes that waits for a daemon to come back.
PATIENCE = 90.0


@dataclass
class Striker:
    """Kills what it is told to, somewhere within the time that such a command usually takes."""

    person: Person
    dice: random.Random
    #: Kills that met a living process, by whom they met.
    struck: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: Seconds that the last undisturbed command of a kind took.
    _usual: dict[str, float] = field(default_factory=dict)

    def run(self, kind: str, workspace: Path, *words: object) -> Ran | None:
        """Run a command that is struck, or whose daemon is; None when it is the command that was."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        victim = self.dice.choice(("command", "daemon"))
        with self.person.start(*words, **pipes) as command:
            # A random moment is what is wanted here; nothing waits for it.
            threading.Event().wait(self.dice.uniform(0.0, 1.2 * self._usual.get(kind, 0.5)))
            if victim == "daemon":
                self._strike_daemon(workspace)
            elif command.poll() is None:
                command.kill()
                self.struck["command"] += 1
            stdout, stderr = command.communicate(timeout=PATIENCE)
        if command.returncode == -signal.SIGKILL:
            return None
        return Ran(tuple(map(str, words)), command.returncode, stdout.decode(), stderr.decode())

    def undisturbed(self, kind: str, *words: object) -> Ran:
        """Run a command to its end, and learn how long that takes."""
        began = time.monotonic()
        ran = self.person.run(*words, check=False, timeout=PATIENCE)
        self._usual[kind] = time.monotonic() - began
        return ran

    def _strike_daemon(self, workspace: Path) -> None:
        for run in read_run_files(self.person.home):
            if run.path == str(workspace) and process_of(run.pid) == run.process:
                os.kill(run.pid, signal.SIGKILL)
                self.struck["daemon"] += 1
