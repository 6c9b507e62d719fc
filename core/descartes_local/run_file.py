"""How a living daemon is found: one small file a session."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from descartes_local.home import Home
from descartes_local.json_file import read_json, write_json
from descartes_local.processes import Process, is_alive

#: Every other field is text.
_NUMBERS = {"pid", "process_started"}


class RunFile(NamedTuple):
    """What a living daemon tells of itself."""

    session_id: str
    name: str
    path: str
    pid: int
    #: With the pid it makes a process, for ever.
    process_started: int
    #: Another at each start of the daemon.
    instance_id: str
    http_endpoint: str
    ws_endpoint: str
    socket: str
    started_at: str
    version: str
    #: Who outlives it and starts the next one: "supervisor", "systemd", or nobody that we know.
    keeper: str = ""
    #: The state of the code that it has loaded.
    stamp: str = ""

    @property
    def process(self) -> Process:
        """The daemon's process."""
        return Process(self.pid, self.process_started)

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return is_alive(self.process)


def write_run_file(home: Home, run: RunFile) -> None:
    """Write it; it means nothing after a reboot, so it is not synced."""
    write_json(home.run_file(run.session_id), run._asdict(), durable=False)


def read_run_file(path: Path) -> RunFile | None:
    """Return what a run file tells, None when it is gone or is not one.

    What newer daemons tell besides is left out, and what older ones do not tell has its default.
    """
    try:
        value = {**RunFile._field_defaults, **read_json(path)}
        run = RunFile(*(value[field] for field in RunFile._fields))
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return run if all(map(_is_usable, RunFile._fields, run)) else None


def _is_usable(field: str, value: object) -> bool:
    # No path and no name holds NUL; a bool is no pid.
    return type(value) is int if field in _NUMBERS else isinstance(value, str) and "\0" not in value


def read_run_files(home: Home) -> list[RunFile]:
    """Return all run files, those of dead daemons too (one may be just being restarted), sorted by name."""
    try:
        paths = sorted(path for path in home.run.iterdir() if path.suffix == ".json" and not path.name.startswith("."))
    except OSError:
        return []
    found = [run for run in map(read_run_file, paths) if run is not None]
    return sorted(found, key=lambda run: (run.name, run.session_id))


def remove_run_file(home: Home, session_id: str) -> None:
    """Remove it."""
    with contextlib.suppress(FileNotFoundError):
        home.run_file(session_id).unlink()
