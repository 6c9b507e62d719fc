"""How a program ended: peeked first, reaped only once it is stored."""

from __future__ import annotations

import asyncio
import contextlib
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
    """Return how our own child ended, without reaping it.

    None while it runs. Raises ChildProcessError when it is nobody's child of ours.
    """
    if sys.platform == "darwin":
        return _taken(pid)  # Python cannot look there without reaping
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    if found is None:
        return None
    if found.si_code == os.CLD_EXITED:
        return Ending(found.si_status, None)
    return Ending(None, _name_of(found.si_status))


def _taken(pid: int) -> Ending | None:  # pragma: no cover - not Linux
    found, status = os.waitpid(pid, os.WNOHANG)
    if found == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return Ending(code, None) if code >= 0 else Ending(None, _name_of(-code))


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"  # a real-time signal: only the first and the last have names in Python


def reap(pid: int) -> None:
    """Take our own child off the table of processes."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


async def ended(pidfd: int) -> None:
    """Wait until the process behind a pidfd has ended; anybody may, not only its parent."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def notice() -> None:
        loop.remove_reader(pidfd)
        if not over.done():
            over.set_result(None)

    loop.add_reader(pidfd, notice)
    try:
        await over
    finally:
        loop.remove_reader(pidfd)


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor of a process, None where it is gone or the system has none."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
