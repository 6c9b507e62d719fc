"""Start one program with its descriptors: by fork and exec."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from descartes_orchestrator.handing_over import arrange, variables


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
    log = open_log(wanted.log)
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


def open_log(path: Path) -> int:
    """Return a descriptor that appends to a log.

    Raises:
        OSError: it cannot be opened.

    """
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _become(wanted: Start, log: int) -> None:
    """Turn this child into the program; it never returns."""
    try:
        os.setsid()
        os.chdir("/")
        reset_signals()
        arrange(log, [descriptor for _, descriptor in wanted.descriptors])
        contract = variables([name for name, _ in wanted.descriptors])
        os.execve(wanted.command[0], list(wanted.command), {**wanted.environment, **contract})
    except BaseException as error:
        # Nothing of the parent's stack may run in the child, whatever happened.
        os.write(2, f"cannot start {wanted.command[0]}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(4)


def reset_signals() -> None:
    """Shed, in a child, the handlers of our loop, and let every signal in."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        # Ours, and what Python ignores: a program would go on ignoring it.
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def python(module: str) -> list[str]:
    """Return the command that runs one of our modules, with nothing of the working directory in its path."""
    return [sys.executable, "-P", "-m", module]
