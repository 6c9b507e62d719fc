"""Notice that files grow, at no cost while they do not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from descartes_local import inotify

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
        self._inotify: inotify.Inotify | None = None
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
        if self._inotify is None:
            self._inotify = inotify.Inotify()
            asyncio.get_running_loop().add_reader(self._inotify.descriptor, self._read)
        watch.number = self._inotify.add(path, inotify.MODIFY | (inotify.ONESHOT if watch.once else 0))
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
        if self._watches.get(watch.number) is watch and self._inotify is not None:
            del self._watches[watch.number]
            with contextlib.suppress(OSError):  # the file is gone
                self._inotify.remove(watch.number)

    def close(self) -> None:
        """Watch nothing any more. Not done between two watches: it holds up the whole loop for some 15 ms."""
        self._watches.clear()
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.descriptor)
            self._inotify.close()
            self._inotify = None

    def _read(self) -> None:
        assert self._inotify is not None, "it is read from while it is open"
        numbers: dict[int, None] = {}
        for told in self._inotify.read():
            if told.mask & inotify.OVERFLOW:
                numbers |= dict.fromkeys(self._watches)
            elif told.mask & inotify.MODIFY:
                numbers[told.number] = None
        for number in numbers:
            if (watch := self._watches.get(number)) is not None:
                if watch.once:
                    del self._watches[number]  # the kernel has forgotten it
                watch.grown()
