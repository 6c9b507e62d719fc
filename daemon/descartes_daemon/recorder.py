"""Move an agent's output from its terminal to its log.

PTY → pipe → file by splice: a byte is always in the terminal, in the pipe or on disk, and never only in a process that
can be killed. Where splice is refused (other file systems, other systems) read and write do the same, by way of the
pipe where they can.
"""

from __future__ import annotations

import array
import asyncio
import errno
import fcntl
import os
import sys
import termios
from dataclasses import dataclass

from descartes_daemon.loudness import Loudness
from descartes_daemon.output_log import OutputLog
from descartes_local.probe import reached

#: A terminal gives some 4 KiB at a time, and splice allocates room for all that is asked for.
_TAKE, _PIECE = 16_384, 65_536
#: How often a disk that took nothing is tried again (seconds); no timer runs otherwise.
_RETRY = 1.0
#: What a full disk says; whatever else it says is told in its own words, and tried again likewise.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: Of these, what leaves room for a hole: offsets cannot go on beyond the largest file there may be.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

_CAN_SPLICE = hasattr(os, "splice")


@dataclass(frozen=True, slots=True)
class Plumbing:
    """The descriptors one recorder works on; the terminal closes its master."""

    master: int
    pipe_out: int
    pipe_in: int


class Recorder:
    """Records one agent, driven by its terminal becoming readable; runs in the event loop, in no task."""

    def __init__(self, plumbing: Plumbing, log: OutputLog) -> None:
        self._pipes = plumbing
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._is_reading = False
        self._loudness = Loudness()
        #: Bytes taken out of the pipe that a full disk refused (only where splice is refused too).
        self._held = b""
        #: Stored in this turn, and not told yet.
        self._fresh = 0
        #: Whether the disk is full and what is said is thrown away: so it is configured.
        self._is_throwing = False
        self._takes_by_splice = self._stores_by_splice = _CAN_SPLICE
        #: Why nothing can be stored for now; the agent waits meanwhile, or what it says is lost.
        self.trouble: str | None = None
        self._told_trouble: str | None = None
        #: Set when the terminal is hung up and everything is on disk.
        self.finished = asyncio.Event()

    @property
    def way(self) -> str:
        """How the output is taken: splice or copy."""
        return "splice" if self._takes_by_splice and self._stores_by_splice else "copy"

    def start(self) -> None:
        """Begin, or go on; what an earlier daemon left in the pipe comes first, also when nothing comes after it."""
        if not self._is_reading and not self.finished.is_set():
            self._is_reading = True
            self._loop.add_reader(self._pipes.master, self._readable)
            self._turn()

    def stop(self) -> None:
        """Let go of the descriptors."""
        self._pause()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.trouble = None
        self._tell_trouble()

    def _pause(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._pipes.master)
            self._loudness.close()

    def _readable(self) -> None:
        if not self._loudness.waits():
            self._turn()

    def _turn(self) -> None:
        self._loudness.begin()
        self._store_all()
        # EAGAIN from the terminal means "no data" only while the pipe is empty.
        while (self.trouble is None or self._is_throwing) and self._take():
            self._store_all()
            if self._loudness.is_enough():
                break
        if self._is_reading:
            self._loudness.end()
        self._tell_growth()
        self._tell_trouble()

    def _tell_growth(self) -> None:
        fresh, self._fresh = self._fresh, 0
        if fresh:
            self._log.grew(fresh)

    def _tell_trouble(self) -> None:
        if (self.trouble is None) != (self._told_trouble is None):
            self._log.on_trouble(self._log, self.trouble)
        self._told_trouble = self.trouble

    def _hang_up(self) -> None:
        """Nobody holds the other side any more: a level-triggered poll would spin from here on."""
        self._pause()
        self.finished.set()

    def _take(self) -> bool:
        """Fill the empty pipe from the terminal; False when there is nothing now, or for ever."""
        try:
            return self._take_some() > 0
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.EIO:
                self._hang_up()
            else:
                self._wait_for_room(f"{error.strerror}")
            return False

    def _take_some(self) -> int:
        if self._takes_by_splice and sys.platform == "linux":
            try:
                return os.splice(self._pipes.master, self._pipes.pipe_in, _TAKE, flags=os.SPLICE_F_NONBLOCK)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._takes_by_splice = False
        # 4,096 bytes always fit into an empty pipe at once.
        piece = os.read(self._pipes.master, 4096)
        if not piece:
            raise OSError(errno.EIO, "hung up")  # how other systems say it
        return os.write(self._pipes.pipe_in, piece)

    def _store_all(self) -> None:
        """Empty the pipe into the file."""
        if self._is_throwing:
            self._throw_away()
            return
        self.trouble = None
        try:
            while count := self._store():
                self._fresh += count
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in _NO_ROOM and self._log.drops_when_full:
                self._is_throwing, self.trouble = True, "disk full"
                self._tell_growth()
                self._come_back()
                self._throw_away()
                return
            self._wait_for_room("disk full" if error.errno in _FULL else f"{error.strerror}")

    def _throw_away(self) -> None:
        """Empty the pipe into nothing, once it is written down how much that is; else its program waits after all."""
        lost = len(self._held) + _waiting_in(self._pipes.pipe_out)
        if not lost:
            return
        if not self._log.lose(lost):
            self._is_throwing = False
            self._wait_for_room("disk full, even for a note of what would be lost")
            return
        reached("recorder.loss_noted")
        left, self._held = lost - len(self._held), b""
        while left:
            left -= len(os.read(self._pipes.pipe_out, min(left, _PIECE)))

    def _store(self) -> int:
        if self._stores_by_splice and sys.platform == "linux":
            try:
                return os.splice(self._pipes.pipe_out, self._log.descriptor, _PIECE, flags=os.SPLICE_F_NONBLOCK)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._stores_by_splice = False
        self._held = self._held or os.read(self._pipes.pipe_out, _PIECE)
        written = os.write(self._log.descriptor, self._held)
        self._held = self._held[written:]
        return written

    def _wait_for_room(self, trouble: str) -> None:
        """Leave the bytes in pipe and terminal, where the agent waits for them, and come back by a timer."""
        self.trouble = trouble
        self._pause()
        self._come_back()

    def _come_back(self) -> None:
        if self._retry is None:
            self._retry = self._loop.call_later(_RETRY, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        if self._is_throwing:
            if not self._log.has_room():
                self._come_back()
                return
            self._is_throwing = False
            self._log.end_gap()
        self._turn()
        if self.trouble is None or self._is_throwing:
            self.start()


def _waiting_in(pipe: int) -> int:
    """Return how many bytes lie in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def make_pipe() -> tuple[int, int]:
    """Return a pipe's two ends, read end first, neither blocking nor inherited."""
    out, into = os.pipe()
    os.set_blocking(out, False)
    os.set_blocking(into, False)
    return out, into


def close_pipe(plumbing: Plumbing) -> None:
    """Close both ends."""
    os.close(plumbing.pipe_out)
    os.close(plumbing.pipe_in)
