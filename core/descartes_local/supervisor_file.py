"""Who the user's supervisor is: one small file that it writes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from descartes_local.home import Home
from descartes_local.json_file import read_json, write_json
from descartes_local.processes import Process, is_alive

#: In the directory of run files; no session's is called so.
NAME = "supervisor.json"


class SupervisorFile(NamedTuple):
    """What a living supervisor tells of itself."""

    pid: int
    #: With the pid it makes a process, for ever.
    started: int
    version: str
    #: The state of the code that it runs.
    stamp: str

    @property
    def process(self) -> Process:
        """The supervisor's process."""
        return Process(self.pid, self.started)


def write_supervisor_file(home: Home, told: SupervisorFile) -> None:
    """Write it; it means nothing after a reboot, so it is not synced.

    Raises:
        OSError: it cannot be written.

    """
    write_json(_path(home), told._asdict(), durable=False)


def read_supervisor_file(home: Home) -> SupervisorFile | None:
    """Return what is told of the supervisor that lives; None where there is none, or it could not tell."""
    try:
        value = read_json(_path(home))
        told = SupervisorFile(*(value[name] for name in SupervisorFile._fields))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if type(told.pid) is not int or type(told.started) is not int or not 0 < told.pid < 2**31:
        return None
    return told if is_alive(told.process) else None


def remove_supervisor_file(home: Home) -> None:
    """Remove it, at the supervisor's end."""
    with contextlib.suppress(OSError):
        _path(home).unlink()


def _path(home: Home) -> Path:
    return home.run / NAME
