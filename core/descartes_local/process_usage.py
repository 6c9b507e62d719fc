"""What a process takes, and has taken; also once it has ended."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import resource
import sys
from functools import lru_cache
from typing import NamedTuple

from descartes_local.processes import Process, stat_fields

#: waitid(2) of the kernel, which unlike that of the C library tells the usage without reaping.
_WAITID = {"x86_64": 247, "aarch64": 95, "riscv64": 95}
#: struct rusage: words, and which of them are the peak in KiB, and blocks of 512 bytes read and written.
_RUSAGE_WORDS, _PEAK_WORD, _READ_WORD, _WRITTEN_WORD = 18, 4, 11, 12
_KIB, _BLOCK = 1024, 512
_SIGINFO_BYTES = 128
#: What is shared is counted in parts: who shares it with how many.
_PROPORTIONAL = re.compile(rb"^Pss: +([0-9]+) kB$", re.MULTILINE)
_PEAK = re.compile(rb"^VmHWM:\s+([0-9]+) kB$", re.MULTILINE)
_READ = re.compile(rb"^read_bytes: ([0-9]+)$", re.MULTILINE)
_WRITTEN = re.compile(rb"^write_bytes: ([0-9]+)$", re.MULTILINE)


class Size(NamedTuple):
    """What one process takes at one moment."""

    #: Threads; a process has at least one.
    tasks: int
    #: Bytes of memory, what it shares with others counted whole.
    resident: int


def size_of(pid: int) -> Size | None:
    """Return what a process takes, None where it is gone or cannot be read."""
    try:
        words = stat_fields(pid)
    except OSError:
        return None
    return Size(int(words[17]), _resident(words))


def proportional_of(pid: int) -> int | None:
    """Return the bytes of memory that are its own share, None where that cannot be read.

    The kernel walks over all of the process's pages for it: some milliseconds a GiB.
    """
    return _kib(_PROPORTIONAL, _contents(pid, "smaps_rollup"))


class Taken(NamedTuple):
    """What one process has taken, with the children that it has waited for; what is None cannot be read."""

    process: Process
    #: Its own, without children: in a sum each process counts once, as itself or as somebody's past child.
    cpu_seconds: float
    resident: int
    #: Its own; gone with its memory.
    peak: int | None
    read: int | None
    written: int | None


def taken_by_process(pid: int) -> Taken | None:
    """Return what a process has taken, also one that has ended and was not reaped; None where there is none."""
    try:
        words = stat_fields(pid)
    except OSError:
        return None
    io = _contents(pid, "io")
    return Taken(
        Process(pid, int(words[19])),
        sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK"),
        _resident(words),
        _kib(_PEAK, _contents(pid, "status")),
        _number(_READ, io),
        _number(_WRITTEN, io),
    )


class Rusage(NamedTuple):
    """What a child took that has ended, with the children that it had waited for."""

    cpu_seconds: float
    #: Of the largest single process among them; None where it is no larger than we are (see `rusage_of`).
    largest: int | None
    read: int
    written: int


def rusage_of(pid: int) -> Rusage | None:
    """Return what a child of ours took that has ended; it stays to be reaped.

    A child begins with the peak of who started it: one that is no larger than ours is no news of the child.

    None where it is no child of ours, runs, or this system cannot tell.
    """
    number = _WAITID.get(platform.machine()) if sys.platform == "linux" else None
    if number is None:
        return None
    words, info = (ctypes.c_long * _RUSAGE_WORDS)(), ctypes.create_string_buffer(_SIGINFO_BYTES)
    how = os.WEXITED | os.WNOWAIT | os.WNOHANG
    if _libc().syscall(ctypes.c_long(number), os.P_PID, pid, info, how, words) != 0 or not any(info.raw):
        return None
    cpu = words[0] + words[2] + (words[1] + words[3]) / 1e6
    peak = words[_PEAK_WORD]
    is_news = peak > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Rusage(cpu, peak * _KIB if is_news else None, words[_READ_WORD] * _BLOCK, words[_WRITTEN_WORD] * _BLOCK)


@lru_cache(maxsize=1)
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _contents(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _resident(words: list[bytes]) -> int:
    return int(words[21]) * os.sysconf("SC_PAGE_SIZE")


def _kib(pattern: re.Pattern[bytes], text: bytes) -> int | None:
    found = _number(pattern, text)
    return None if found is None else found * _KIB


def _number(pattern: re.Pattern[bytes], text: bytes) -> int | None:
    found = pattern.search(text)
    return None if found is None else int(found[1])
