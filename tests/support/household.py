"""A HOME whose supervisor goes on from one test to the next, all else in it made anew."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from descartes_core.errors import DescartesError
from descartes_local.rpc_client import Connection
from descartes_local.supervisor_file import NAME
from tests.support.leftovers import end_everything, end_sessions, wait_and_kill
from tests.support.person import Person

#: From one test that shares it to the next (seconds); where a run is broken off, it is gone soon.
LINGER = "30"
#: What a supervisor that goes on has in the run directory.
DOORS = {"supervisor.sock", NAME}


class Household:
    """Somebody whose supervisor and fork server, half a second's work, are there already.

    For tests that neither look at it nor at how it begins, and that have nothing of their own to tell it.
    """

    def __init__(self) -> None:
        self.person = Person(Path(tempfile.mkdtemp(prefix="d", dir="/tmp")))

    def end_sessions(self) -> set[int]:
        """End all but the supervisor; return the pids of those who go on, none where they could not."""
        home = self.person.home
        end_sessions(home)
        if len(resident := self._residents()) < 2:
            end_everything(home)
            return set()
        return resident

    def tidy(self) -> None:
        """Remove all that a test has made; what is the supervisor's stays."""
        home = self.person.home
        kept = {home.path, home.run, home.log, *(home.run / name for name in DOORS)}
        _empty(self.person.directory, kept)
        for log in home.log.glob("*.log*"):
            log.write_text("")

    def close(self) -> None:
        """End it, with everything."""
        end_everything(self.person.home)
        wait_and_kill(self.person.directory)
        shutil.rmtree(self.person.directory, ignore_errors=True)

    def _residents(self) -> set[int]:
        try:
            with Connection(self.person.home.supervisor_socket, timeout=15) as connection:
                told = connection.call("status")
        except DescartesError:
            return set()
        return {told["pid"], told["fork_server"]["pid"]} - {None}


def _empty(directory: Path, kept: set[Path]) -> None:
    for path in directory.iterdir():
        if path not in kept and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path not in kept:
            path.unlink(missing_ok=True)
        elif path.is_dir():
            _empty(path, kept)
