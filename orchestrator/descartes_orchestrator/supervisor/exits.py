"""How kept agents ended whose ending no daemon has committed yet, on disk.

An agent whose daemon is dead is our child, and its exit status is the kernel's until it is reaped: which it is at once
when we are killed. So it is written down as soon as it is seen. The file is appended to and not synced: what the kernel
has taken outlives us, and after a power loss no such process is left to be asked about. It counts for one boot only.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from descartes_local.endings import Ending
from descartes_local.json_file import write_bytes
from descartes_local.processes import Process, boot_id
from descartes_orchestrator.supervisor.journal import note

#: More agents than end while no daemon is there to hear of it; the oldest are forgotten.
_MOST = 10_000
#: The file is written anew when so many lines mean nothing any more.
_MOST_DEAD_LINES = 1000


class Exits:
    """Endings by process."""

    def __init__(self, path: Path) -> None:
        """Read what was written before, in this boot."""
        self._path, self._boot = path, boot_id()
        self._endings = _read(path, self._boot)
        #: Lines in the file; none where it has to be written anew.
        self._lines = 0

    def __contains__(self, process: object) -> bool:
        return process in self._endings

    def get(self, process: Process) -> Ending | None:
        """Return how it ended, None where that was not seen."""
        return self._endings.get(process)

    def add(self, process: Process, ending: Ending) -> None:
        """Write down how one has ended; a disk that cannot take it is told, and it is remembered as long as we live."""
        if process not in self._endings:
            self._endings[process] = ending
            while len(self._endings) > _MOST:
                self._endings.pop(next(iter(self._endings)))
            self._write([process.pid, process.started, ending.exit_code, ending.signal])

    def remove(self, process: Process) -> None:
        """Forget one whose ending is committed."""
        if self._endings.pop(process, None) is not None:
            self._write([process.pid, process.started])

    def _write(self, entry: list[int | str | None]) -> None:
        try:
            if not self._endings:
                self._path.unlink(missing_ok=True)
                self._lines = 0
            elif self._lines == 0 or self._lines > len(self._endings) + _MOST_DEAD_LINES:
                self._write_anew()
            elif _append(self._path, json.dumps(entry).encode() + b"\n"):
                self._lines += 1
            else:
                self._write_anew()
        except OSError as error:
            self._lines = 0  # whatever is there now, the next time all is written
            note(f"{self._path} cannot be written: {error}; endings are lost if the supervisor dies now")

    def _write_anew(self) -> None:
        entries = [[*process, ending.exit_code, ending.signal] for process, ending in self._endings.items()]
        lines = [json.dumps(line).encode() + b"\n" for line in [self._boot, *entries]]
        write_bytes(self._path, b"".join(lines), durable=False)
        self._lines = len(lines)


def _append(path: Path, line: bytes) -> bool:
    """Say whether the whole line is at the end now; it is not where the file is gone, or half of it had room."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return os.write(descriptor, line) == len(line)
    finally:
        os.close(descriptor)


def _read(path: Path, boot: str) -> dict[Process, Ending]:
    found: dict[Process, Ending] = {}
    try:
        first, *lines = path.read_bytes().splitlines()
        if json.loads(first) != boot:
            return found
    except (OSError, ValueError):
        return found
    for line in lines:
        with contextlib.suppress(ValueError, TypeError):  # one that was cut off on a full disk
            pid, started, *how = json.loads(line)
            if how:
                found[Process(pid, started)] = Ending(*how)
            else:
                found.pop(Process(pid, started), None)
    return found
