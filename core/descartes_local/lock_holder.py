"""Who holds the lock on a directory, as far as this machine tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from descartes_local.processes import command_of, environ_of

#: What stands in the command line of a daemon, which holds its locks as long as it lives.
_DAEMONS = ("descartes_daemon", "descartes-daemon")
#: What stands in the command line of whatever is ours.
_OURS = "descartes"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock, or keeps it for one that took it."""

    pid: int
    #: Its DESCARTES_HOME, None where its environment cannot be read.
    home: str | None
    #: A daemon's, or kept for one; a command lets go of it after a moment.
    is_lasting: bool

    def __str__(self) -> str:
        return f"process {self.pid} of DESCARTES_HOME {self.home}" if self.home else f"process {self.pid}"


def holder_of(path: Path) -> Holder | None:
    """Return who holds the lock on a directory: one of ours that lives; None where nobody is found."""
    try:
        found = path.stat()
    except OSError:
        return None
    for pid in _takers(found.st_ino):
        command = command_of(pid)  # a number that was a daemon's may be a stranger's by now
        if _OURS in command:
            return Holder(pid, _home_of(pid), _is_daemon(command))
    # Its taker is dead: a daemon that followed tells more than the supervisor that kept it meanwhile.
    kept = sorted(_keepers(found), key=lambda pid: not _is_daemon(command_of(pid)))
    return next((Holder(pid, _home_of(pid), is_lasting=True) for pid in kept), None)


def _is_daemon(command: str) -> bool:
    return any(daemon in command for daemon in _DAEMONS)


def _takers(inode: int) -> Iterator[int]:
    """Yield who took locks on this inode, living or dead."""
    try:
        with open("/proc/locks") as file:
            locks = [line.split() for line in file]
    except OSError:
        return
    for words in locks:
        if len(words) == 8 and words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
            yield int(words[4])


def _keepers(wanted: os.stat_result) -> Iterator[int]:
    """Yield those of ours that have the locked directory open."""
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit() and _OURS in command_of(int(name)) and _has_locked(name, wanted):
            yield int(name)


def _has_locked(pid: str, wanted: os.stat_result) -> bool:
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            found = os.stat(f"/proc/{pid}/fd/{number}")
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                with open(f"/proc/{pid}/fdinfo/{number}") as file:
                    if "FLOCK" in file.read():
                        return True
    except OSError:  # it ended, or is not ours to look into
        return False
    return False


def _home_of(pid: int) -> str | None:
    variables = dict(entry.partition(b"=")[::2] for entry in environ_of(pid).split(b"\0"))
    if home := variables.get(b"DESCARTES_HOME"):
        return os.fsdecode(home)
    return f"{os.fsdecode(variables[b'HOME'])}/.descartes" if variables.get(b"HOME") else None
