"""Which process is which: a pid is believed only together with its start time."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterator
from typing import NamedTuple

from descartes_core.redaction import redact


class Process(NamedTuple):
    """A process, for ever: its pid and its start time in clock ticks since boot (field 22 of its stat)."""

    pid: int
    started: int


class Stat(NamedTuple):
    """What /proc tells of a process in one read."""

    process: Process
    parent: int
    session: int
    #: R S D T t Z X I …
    state: str

    @property
    def is_dead(self) -> bool:
        """Ended, even when nobody has reaped it."""
        return self.state in "ZXx"


def stat_of(pid: int) -> Stat | None:
    """Return what is known of a pid, None when there is no such process.

    Raises:
        OSError: it cannot be read, as when no descriptor is free: that does not mean that it is gone.

    """
    if sys.platform != "linux":
        return _stat_by_psutil(pid)
    try:
        fields = stat_fields(pid)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Stat(Process(pid, int(fields[19])), int(fields[1]), int(fields[3]), fields[0].decode())


def stat_fields(pid: int) -> list[bytes]:
    """Return what /proc tells of a process in its stat (proc(5)), from the state on, which is the third field there.

    Raises:
        OSError: there is no such process, or it cannot be read.

    """
    with open(f"/proc/{pid}/stat", "rb") as file:
        text = file.read()
    # The name in parentheses may hold anything, also parentheses and spaces.
    return text[text.rindex(b")") + 2 :].split()


def _stat_by_psutil(pid: int) -> Stat | None:  # pragma: no cover - not Linux
    import psutil  # its import costs what the quick verbs must not pay

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            state = "Z" if process.status() == psutil.STATUS_ZOMBIE else "S"
            started = int(process.create_time() * 1000)
            return Stat(Process(pid, started), process.ppid() or 0, os.getsid(pid), state)
    except (psutil.Error, OSError):
        return None


def process_of(pid: int) -> Process | None:
    """Return the process that has this pid now, also a zombie."""
    found = stat_of(pid)
    return found.process if found else None


def is_alive(process: Process) -> bool:
    """Say whether this very process still runs; a zombie does not."""
    found = stat_of(process.pid)
    return found is not None and found.process == process and not found.is_dead


def every_stat() -> Iterator[Stat]:
    """Walk over all processes of the machine."""
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := stat_of(int(name))) is not None:
            yield found


class Children:
    """The children of this process's first thread, looked up again and again: a file kept open costs a fifth.

    Orphans become children of the first living thread, and we start programs from no other: that is all of them.
    """

    def __init__(self) -> None:
        try:
            self._descriptor = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._descriptor = -1

    def pids(self) -> list[int]:
        """Return their pids now, zombies too."""
        found, offset = b"", 0
        while self._descriptor >= 0:
            piece = os.pread(self._descriptor, 65_536, offset)  # made anew for each reading from the beginning
            if not piece:
                break
            found += piece
            offset += len(piece)
        return [int(pid) for pid in found.split()]

    def close(self) -> None:
        """Look no more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def children_of_self() -> list[int]:
    """Return the pids of the children of this process's first thread once."""
    children = Children()
    try:
        return children.pids()
    except OSError:
        return []
    finally:
        children.close()


def environ_of(pid: int) -> bytes:
    """Return the environment a process began with, empty where it cannot be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except OSError:
        return b""


def has_mark(environ: bytes, name: str, value: str) -> bool:
    """Say whether an environment holds NAME=value."""
    return os.fsencode(f"{name}={value}") in environ.split(b"\0")


def mark_of(environ: bytes, name: str) -> str | None:
    """Return the value of NAME in an environment, None where it has none."""
    wanted = os.fsencode(name) + b"="
    found = next((entry for entry in environ.split(b"\0") if entry.startswith(wanted)), None)
    return None if found is None else os.fsdecode(found.removeprefix(wanted))


def command_of(pid: int) -> str:
    """Return a process's command line for people, without secrets; its short name where it has none."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").split(b"\0")
        if words != [b""]:
            return " ".join(redact([word.decode(errors="replace") for word in words]))
        with open(f"/proc/{pid}/comm", "rb") as file:
            return f"[{file.read().strip().decode(errors='replace')}]"
    except OSError:
        return ""


def send_signal(process: Process, number: int) -> bool:
    """Send a signal to this very process; False when it is gone already.

    The descriptor pins the pid, so the start time read after opening it is that of what will be signalled.
    """
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return False
        try:
            if process_of(process.pid) != process:
                return False
            signal.pidfd_send_signal(descriptor, number)
        except (ProcessLookupError, PermissionError):
            return False
        finally:
            os.close(descriptor)
        return True
    if process_of(process.pid) != process:
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process.pid, number)
        return True
    return False


def wait_for_end(process: Process, timeout: float) -> bool:
    """Wait until this very process has ended, reaped or not; False when it has not within the time (seconds)."""
    if sys.platform != "linux":
        return _wait_by_psutil(process, timeout)
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return not is_alive(process)
    try:
        if process_of(process.pid) != process:
            return True
        ends = select.poll()
        ends.register(descriptor, select.POLLIN)
        return bool(ends.poll(max(0.0, timeout) * 1000))
    finally:
        os.close(descriptor)


def _wait_by_psutil(process: Process, timeout: float) -> bool:  # pragma: no cover - not Linux
    import psutil

    try:
        if process_of(process.pid) == process:
            psutil.Process(process.pid).wait(timeout)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def boot_id() -> str:
    """Return what tells one boot of this machine from another."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return "unknown"
