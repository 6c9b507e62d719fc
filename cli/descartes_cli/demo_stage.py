"""A directory and a HOME of the demo's own, and nothing left afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_local.processes import Process, environ_of, every_stat, has_mark, is_alive
from descartes_local.tree import kill_tree

#: No command of the demo takes longer, also on a busy machine.
_DEADLINE = 30.0
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Said:
    """What a command ended with."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        """The JSON it printed."""
        return json.loads(self.out)


class Stage:
    """Runs the installed command as a person would, in a fresh HOME."""

    def __init__(self, path: Path) -> None:
        self.home = path
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("DESCARTES_")}
        self._env |= {"HOME": str(path), "DESCARTES_HOME": str(path / ".descartes")}
        self._env.pop("XDG_RUNTIME_DIR", None)

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> Said:
        """Run `descartes …`; a code that was not expected is an error."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "descartes_cli", *arguments],
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DEADLINE,
            check=False,
        )
        said = Said(done.returncode, done.stdout, done.stderr.decode(errors="replace").strip())
        if said.code not in codes:
            raise Failed(f"`descartes {' '.join(arguments)}` ended with {said.code}: {said.err}")
        return said

    @property
    def token(self) -> str:
        """The token of its daemons' doors."""
        return (self.home / ".descartes" / "token").read_text().strip()

    def processes(self) -> set[Process]:
        """Return every process that was started in this HOME."""
        stats = [stat for stat in every_stat() if not stat.is_dead and stat.process.pid != os.getpid()]
        return {stat.process for stat in stats if has_mark(environ_of(stat.process.pid), "HOME", str(self.home))}

    def gone(self, processes: set[Process], patience: float) -> set[Process]:
        """Wait until these have ended; return those that have not."""
        deadline = time.monotonic() + patience
        while (left := {process for process in processes if is_alive(process)}) and time.monotonic() < deadline:
            time.sleep(0.01)
        return left

    def clear(self) -> None:
        """End whatever is left: the supervisor first, so that it starts nothing again."""
        first = [process for process in self.processes() if b"DESCARTES_SUPERVISOR=" not in environ_of(process.pid)]
        for process in first:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.gone(kill_tree(self.processes), 5.0)
        shutil.rmtree(self.home, ignore_errors=True)


class Failed(Exception):
    """A step of the demo did not do what it is there to show."""


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Play on a fresh stage; leave nothing behind, also when interrupted."""
    # Short: the sockets' paths lie below it.
    place = Stage(Path(tempfile.mkdtemp(prefix="descartes-demo-")))
    before = {number: signal.signal(number, _interrupted) for number in _INTERRUPTIONS}
    try:
        yield place
    finally:
        _be_deaf()
        place.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def _be_deaf() -> None:
    """Let nothing interrupt what tidies up: who is impatient still gets a tidy machine."""
    for number in _INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)


def _interrupted(_number: int, _frame: object) -> None:
    _be_deaf()
    raise KeyboardInterrupt
