"""How a process ended; one of ours is reaped only once that is stored.

An exit status exists once, and reap-then-store loses it when the storing process is killed in between. Hence never a
wait for just any child. Of somebody else's child the kernel tells it too, to who holds its pidfd: while nobody has
reaped it by /proc, afterwards by an ioctl that Linux has since 6.15.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import sys
from dataclasses import dataclass

#: ioctl PIDFD_GET_INFO, a struct pidfd_info of 64 bytes, and what is asked of it (Linux, include/uapi/linux/pidfd.h).
_PIDFD_GET_INFO = 0xC040FF0B
_PIDFD_INFO_EXIT = 1 << 3
#: Who has it may look at anybody (capabilities(7)).
_CAP_SYS_PTRACE = 1 << 19
#: mask, cgroupid, eleven ids, exit_code as wait(2) has it.
_INFO = struct.Struct("=QQ11Ii")


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


def ending_by_pidfd(pidfd: int) -> Ending | None:
    """Return how the process behind a pidfd ended, whoever its parent is or was.

    None while it runs, and where this system does not tell, or not to us.
    """
    if sys.platform != "linux":
        return None
    # The second time for one that was reaped between the first and the look at it as a zombie.
    return _reaped(pidfd) or _zombie(pidfd) or _reaped(pidfd)


def _reaped(pidfd: int) -> Ending | None:
    info = bytearray(_INFO.size)
    struct.pack_into("=Q", info, 0, _PIDFD_INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
    except OSError:  # an older kernel, or one that was reaped before anybody held a pidfd of it
        return None
    mask, *_, status = _INFO.unpack(info)
    return _of_status(status) if mask & _PIDFD_INFO_EXIT else None


def _zombie(pidfd: int) -> Ending | None:
    """Return what /proc tells of one that has ended and that nobody has reaped."""
    if not _is_over(pidfd):
        return None
    pid = pid_of(pidfd)
    if pid is None or not _tells_us(pid):
        return None
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    # The pid was its own until now only if it still is: then nobody has reaped it.
    return _of_status(int(fields[-1])) if fields and fields[0] == b"Z" and pid_of(pidfd) == pid else None


def _is_over(pidfd: int) -> bool:
    found = select.poll()
    found.register(pidfd, select.POLLIN)
    return bool(found.poll(0))


def pid_of(pidfd: int) -> int | None:
    """Return the pid that a pidfd means; None when it has been reaped, or the descriptor is none."""
    try:
        with open(f"/proc/self/fdinfo/{pidfd}", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    pid = next((int(line.split()[1]) for line in lines if line.startswith(b"Pid:")), -1)
    return pid if pid > 0 else None


def _tells_us(pid: int) -> bool:
    """Say whether the kernel shows us its exit status; to strangers it shows 0, which is no lie we may pass on."""
    try:
        found = _status_lines(str(pid))
        users, groups = ({int(word) for word in found[name].split()} for name in (b"Uid", b"Gid"))
        if users == {os.geteuid()} and groups == {os.getegid()}:
            return True
        return bool(int(_status_lines("self")[b"CapEff"], 16) & _CAP_SYS_PTRACE)
    except (OSError, ValueError, KeyError):
        return False


def _status_lines(pid: str) -> dict[bytes, bytes]:
    with open(f"/proc/{pid}/status", "rb") as file:
        return dict(line.split(b":", 1) for line in file.read().splitlines())


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
    return _of_status(status)


def _of_status(status: int) -> Ending:
    """Return what a status of wait(2) means."""
    code = os.waitstatus_to_exitcode(status)
    return Ending(code, None) if code >= 0 else Ending(None, signal_name(-code))


def signal_name(number: int) -> str:
    """Return SIGKILL for 9; of the real-time signals only the first and the last have names in Python."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
