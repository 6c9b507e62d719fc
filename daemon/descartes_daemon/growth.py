"""Notice that files grow, at no cost while they do not.

By inotify, in three calls of our own: the library for it starts a program when it is imported, to look for libc.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_MODIFY, _ONESHOT, _OVERFLOW = 0x2, 0x8000_0000, 0x4000
_EVENT = struct.Struct("=iIII")
#: Where the system cannot tell, a file that somebody follows is looked at this often (seconds).
_LOOK_EVERY = 0.25


@dataclass(eq=False, slots=True)
class _Watch:
    grown: Callable[[], None]
    once: bool
    number: int = -1
    timer: asyncio.TimerHandle | None = None


class Growth:
    """Watches files for a daemon; it has no descriptor before something is watched."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._watches: dict[int, _Watch] = {}

    def watch(self, path: Path, grown: Callable[[], None], *, once: bool = False) -> Callable[[], None]:
        """Call `grown` in the loop whenever somebody has written into a file; return how to stop that.

        With `once` only the first time: who writes pays nothing afterwards. What was written before is not told.
        One file is watched once at a time.
        """
        watch = _Watch(grown, once)
        try:
            self._add(watch, path)
        except OSError:
            self._look(watch)
        return lambda: self._stop(watch)

    def _add(self, watch: _Watch, path: Path) -> None:
        if self._descriptor < 0:
            self._descriptor = _call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK)
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        mask = _MODIFY | (_ONESHOT if watch.once else 0)
        watch.number = _call("inotify_add_watch", self._descriptor, os.fsencode(path), ctypes.c_uint32(mask))
        self._watches[watch.number] = watch

    def _look(self, watch: _Watch) -> None:
        """Look by a timer, where a follower waits; who only wants to know of the first time finds out later."""
        if not watch.once:
            watch.timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._looked, watch)

    def _looked(self, watch: _Watch) -> None:
        self._look(watch)
        watch.grown()

    def _stop(self, watch: _Watch) -> None:
        if watch.timer is not None:
            watch.timer.cancel()
            watch.timer = None
        if self._watches.get(watch.number) is watch:
            del self._watches[watch.number]
            with contextlib.suppress(OSError):  # the file is gone
                _call("inotify_rm_watch", self._descriptor, watch.number)

    def close(self) -> None:
        """Watch nothing any more. Not done between two watches: it holds up the whole loop for some 15 ms."""
        self._watches.clear()
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, 65_536)
        except BlockingIOError:
            return
        told: dict[int, None] = {}
        start = 0
        while start < len(data):
            number, mask, _, length = _EVENT.unpack_from(data, start)
            start += _EVENT.size + length
            if mask & _OVERFLOW:
                told |= dict.fromkeys(self._watches)
            elif mask & _MODIFY:
                told[number] = None
        for number in told:
            if (watch := self._watches.get(number)) is not None:
                if watch.once:
                    del self._watches[number]  # the kernel has forgotten it
                watch.grown()


def _call(name: str, *arguments: object) -> int:
    """Call libc; it is loaded already, and looked up only when something is followed."""
    if sys.platform != "linux":  # pragma: no cover - not Linux
        raise OSError(errno.ENOSYS, "no inotify")
    libc = ctypes.CDLL(None, use_errno=True)
    found: int = getattr(libc, name)(*arguments)
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found
