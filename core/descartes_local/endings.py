"""How a child of ours ended: looked at first, reaped only once that is stored.

An exit status exists once, and reap-then-store loses it when the storing process is killed in between. Hence never a
wait for just any child.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ending:
    """An exit code, or a signal's name, or neither where nothing can know."""

    exit_code: int | None
    signal: str | None

    @property
    def is_well(self) -> bool:
        """Ended by itself with code 0."""
        return self.exit_code == 0

    def __str__(self) -> str:
        if self.exit_code is not None:
            return f"exit code {self.exit_code}"
        return f"signal {self.signal}" if self.signal else "exit status unknown"


UNKNOWN = Ending(None, None)


def peek(pid: int) -> Ending | None:
    """Return how a child of ours ended, None while it runs; it stays to be reaped.

    Raises:
        ChildProcessError: it is no child of ours.

    """
    if sys.platform == "darwin":  # pragma: no cover - not Linux
        return _taken(pid)  # Python cannot look there without reaping
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    if found is None:
        return None
    if found.si_code == os.CLD_EXITED:
        return Ending(found.si_status, None)
    return Ending(None, signal_name(found.si_status))


def reap(pid: int) -> Ending | None:
    """Take a child of ours that has ended off the table of processes; None where there is none to take."""
    try:
        return _taken(pid)
    except ChildProcessError:
        return None


def _taken(pid: int) -> Ending | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    if found == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return Ending(code, None) if code >= 0 else Ending(None, signal_name(-code))


def signal_name(number: int) -> str:
    """Return SIGKILL for 9; of the real-time signals only the first and the last have names in Python."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
