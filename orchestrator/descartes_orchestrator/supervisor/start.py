"""Start one program with its descriptors: by fork and exec."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_HIGHEST = 2**31 - 1
#: Linux takes 128 KiB in one variable, and a name may have 255 characters: those of 500 agents fit.
_NAMES_A_VARIABLE = 500


@dataclass(frozen=True, slots=True)
class Start:
    """What to start, and with what."""

    command: Sequence[str]
    environment: Mapping[str, str]
    #: Passed from descriptor 3 on, in this order.
    descriptors: Sequence[tuple[str, int]]
    #: Standard output and error are appended here.
    log: Path


def start(wanted: Start) -> int:
    """Start it and return its pid.

    Raises:
        OSError: the log cannot be opened, or no process can be made.

    """
    log = os.open(wanted.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # A signal that reached the child before it has shed our handlers would wake our own loop.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become(wanted, log)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(log)
    return pid


def _become(wanted: Start, log: int) -> None:
    """Turn this child into the program; it never returns."""
    try:
        os.setsid()
        os.chdir("/")
        _reset_signals()
        _arrange(wanted, log)
        names = _in_variables([name for name, _ in wanted.descriptors])
        contract = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(wanted.descriptors)), **names}
        os.execve(wanted.command[0], list(wanted.command), {**wanted.environment, **contract})
    except BaseException as error:
        # Nothing of the parent's stack may run in the child, whatever happened.
        os.write(2, f"cannot start {wanted.command[0]}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(4)


def _in_variables(names: Sequence[str]) -> dict[str, str]:
    """Return LISTEN_FDNAMES, and what does not fit into it as LISTEN_FDNAMES_2 and on."""
    variables = {"LISTEN_FDNAMES": ":".join(names[:_NAMES_A_VARIABLE])}
    for number, first in enumerate(range(_NAMES_A_VARIABLE, len(names), _NAMES_A_VARIABLE), start=2):
        variables[f"LISTEN_FDNAMES_{number}"] = ":".join(names[first : first + _NAMES_A_VARIABLE])
    return variables


def _arrange(wanted: Start, log: int) -> None:
    sources = [descriptor for _, descriptor in wanted.descriptors]
    first_free = 3 + len(sources)
    # All are moved out of the way first: a source may lie where another is to go.
    moved = [fcntl.fcntl(source, fcntl.F_DUPFD, first_free) for source in [log, *sources]]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(moved[0], 1)
    os.dup2(moved[0], 2)
    for number, descriptor in enumerate(moved[1:], start=3):
        os.dup2(descriptor, number)
    # Ports, terminals and locks of other sessions must not live on in this one.
    os.closerange(first_free, _HIGHEST)


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        # Ours, and what Python ignores: a program would go on ignoring it.
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def python(module: str) -> list[str]:
    """Return the command that runs one of our modules, with nothing of the working directory in its path."""
    return [sys.executable, "-P", "-m", module]
