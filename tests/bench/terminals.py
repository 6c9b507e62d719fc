"""The floors of terminals: a bare loop from one to a file, and to the first byte."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import time
from pathlib import Path

_BLOCK = 65_536


def start(command: list[str]) -> tuple[int, int, int]:
    """Start a program in a terminal of its own; return its pid, the master, and a slave held open."""
    master, slave = os.openpty()
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, 0, 2),
    ]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions, setsid=True)
    return pid, master, slave


def first_byte(command: list[str]) -> None:
    """Start a program and wait for its first byte."""
    pid, master, slave = start(command)
    os.read(master, 1)
    os.waitpid(pid, 0)
    os.close(slave)
    os.close(master)


def copy_to_file(command: list[str], path: Path) -> float:
    """Record a program by read and write, and return the seconds."""
    begin = time.perf_counter()
    pid, master, slave = start(command)
    os.close(slave)
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while piece := os.read(master, _BLOCK):
            file.write(piece)
    os.waitpid(pid, 0)
    taken = time.perf_counter() - begin
    os.close(master)
    return taken


def splice_to_file(command: list[str], path: Path) -> float:
    """Record a program by splice, through a pipe, and return the seconds."""
    begin = time.perf_counter()
    pid, master, slave = start(command)
    os.close(slave)
    os.set_blocking(master, False)
    out, into = os.pipe()
    poll = select.poll()
    poll.register(master, select.POLLIN)
    with open(path, "wb", buffering=0) as file:
        there = True
        while there:
            poll.poll()
            there = _fill(master, into)
            _drain(out, file.fileno())
    os.waitpid(pid, 0)
    taken = time.perf_counter() - begin
    for descriptor in (master, out, into):
        os.close(descriptor)
    return taken


def _fill(master: int, into: int) -> bool:
    """Splice what is there, as far as the pipe takes it; False when the terminal has ended."""
    try:
        while os.splice(master, into, _BLOCK, flags=os.SPLICE_F_NONBLOCK):
            pass
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    return False


def _drain(out: int, file: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.splice(out, file, 1 << 20, flags=os.SPLICE_F_NONBLOCK):
            pass
