"""A log that a program writes itself, into a file: nobody moves its bytes.

Its size is the file's. While somebody follows it, every growth is told. While nobody does, the first byte after a rest
wakes the daemon, which then looks once a second until the program rests again: so caps hold, and silence costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from descartes_daemon.growth import Growth
from descartes_daemon.output_log import OutputLog

_log = logging.getLogger(__name__)

#: How often the log of a program that writes is looked at while nobody follows it (seconds).
_LOOK_EVERY = 1.0


class _Followers(set[Callable[[], None]]):
    """Says when the first one comes and the last one goes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def add(self, follower: Callable[[], None]) -> None:
        super().add(follower)
        self._changed()

    def discard(self, follower: object) -> None:
        super().discard(follower)
        self._changed()


class ProgramLog(OutputLog):
    """One stream of an agent without a terminal."""

    def __init__(self, directory: Path, stem: str, growth: Growth, *, begin: int = 0) -> None:
        #: The size as the loop last saw it: what came since is told to who follows from then on.
        self._known = 0
        self._thread = threading.get_ident()
        super().__init__(directory, stem, begin=begin)
        self._growth = growth
        #: Called, in the loop, when its program has cut it to before its beginning: it begins at 0 again.
        self.on_cut: Callable[[OutputLog], None] = lambda _log: None
        self.followers = _Followers(self._attend)
        #: How much of it is counted, by `on_growth`.
        self._counted = self._known
        self._is_followed = False
        self._unwatch: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """How many bytes there are at this moment, those included that were dropped."""
        in_loop = threading.get_ident() == self._thread
        try:
            found = os.stat(self.path)
        except OSError:
            # Somebody removed it: what the program says meanwhile is read all the same, until the daemon ends.
            if not in_loop or self.descriptor < 0:
                return self._known
            found = os.fstat(self.descriptor)
        if not in_loop:
            return max(found.st_size, self.begin)
        if found.st_size < self._known:
            _log.warning("%s: its program cut it from %d bytes to %d", self.path, self._known, found.st_size)
        if found.st_size < self.begin:
            self._begin_anew()
        self._known = found.st_size
        return self._known

    @size.setter
    def size(self, size: int) -> None:
        self._known = size

    def _begin_anew(self) -> None:
        """Let all be read that its program says now: what was dropped was of the file as it was before."""
        self._counted -= self.begin
        self.begin = 0
        self.on_cut(self)

    def drop(self, begin: int) -> None:
        """Let it begin here from now on, unless its program has cut it meanwhile."""
        super().drop(begin)
        self._known = self.size

    def punch(self) -> None:
        """Give back what lies before the beginning, as long as that lies before its end; may be called in a thread."""
        if self.begin <= os.stat(self.path).st_size:
            super().punch()

    def open(self) -> None:
        """Make it ready for its program: from now on its growth is noticed."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.is_ended = False
        self._attend()

    def for_program(self) -> int:
        """Return a descriptor for the program to write to; it is the caller's to close.

        Its own, and O_APPEND: what is dropped at the front moves no writer.
        """
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def close(self) -> None:
        """Nobody can write any more."""
        if self.is_ended:
            return
        self._look()
        self._stop()
        super().close()

    def _attend(self) -> None:
        """Watch it as closely as is asked for."""
        if self.is_ended or (self._unwatch is not None and self._is_followed == bool(self.followers)):
            return
        self._stop()
        self._is_followed = bool(self.followers)
        known = self._known
        if self._is_followed:
            self._unwatch = self._growth.watch(self.path, self._grew)
        else:
            self._unwatch = self._growth.watch(self.path, self._woke, once=True)
        # What came since it was last looked at, and before it was watched, is told by nobody else.
        if self.size != known:
            asyncio.get_running_loop().call_soon(self._grew if self._is_followed else self._woke)

    def _stop(self) -> None:
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _grew(self) -> None:
        if not self.is_ended and self._is_followed:
            self._look()
            self.tell()

    def _woke(self) -> None:
        """Look again a little later; a program that has rested since is waited for anew."""
        if self.is_ended or self._is_followed:
            return
        if self._look() or self._timer is None:
            self._stop()
            self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY, self._woke)
        else:
            self._stop()
            self._attend()

    def _look(self) -> bool:
        """Count what came since the last look, and say whether anything did."""
        size = self.size
        count, self._counted = size - self._counted, size
        if count:
            self.on_growth(self, count)
        return count > 0
