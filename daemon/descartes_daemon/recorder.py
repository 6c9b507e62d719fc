"""Move an agent's output from its terminal to its log.

PTY → pipe → file by splice: a byte is always in the terminal, in the pipe or on disk, and never only in a process that
can be killed. Where splice is refused (other file systems, other systems) read and write do the same, by way of the
pipe where they can.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from dataclasses import dataclass

from descartes_daemon.output_log import OutputLog

#: One turn of the loop takes at most this much of one agent, so that a loud one does not silence the others.
_BURST = 1024 * 1024
_PIECE = 65_536
#: How often a full disk is tried again (seconds); no timer runs otherwise.
_RETRY = 1.0
#: The disk does not take more for now.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

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
        #: Bytes taken out of the pipe that a full disk refused (only where splice is refused too).
        self._held = b""
        self._takes_by_splice = self._stores_by_splice = _CAN_SPLICE
        self.is_disk_full = False
        #: Set when the terminal is hung up and everything is on disk.
        self.finished = asyncio.Event()

    @property
    def way(self) -> str:
        """How the output is taken: splice or copy."""
        return "splice" if self._takes_by_splice and self._stores_by_splice else "copy"

    def start(self) -> None:
        """Begin, or go on; what lies in the pipe comes first."""
        if not self._is_reading and not self.finished.is_set():
            self._is_reading = True
            self._loop.add_reader(self._pipes.master, self._turn)

    def stop(self) -> None:
        """Let go of the descriptors."""
        self._pause()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _pause(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._pipes.master)

    def _turn(self) -> None:
        moved = self._store_all()
        try:
            # EAGAIN from the terminal means "no data" only while the pipe is empty.
            while not self.is_disk_full and moved < _BURST and self._take():
                moved += self._store_all()
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._hang_up()
        if moved:
            self._log.grew(moved)

    def _hang_up(self) -> None:
        """Nobody holds the other side any more: a level-triggered poll would spin from here on."""
        self._pause()
        if not self.is_disk_full:
            self.finished.set()

    def _take(self) -> int:
        if self._takes_by_splice and sys.platform == "linux":
            try:
                return os.splice(self._pipes.master, self._pipes.pipe_in, _PIECE, flags=os.SPLICE_F_NONBLOCK)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                self._takes_by_splice = False
        # 4,096 bytes always fit into an empty pipe at once.
        piece = os.read(self._pipes.master, 4096)
        return os.write(self._pipes.pipe_in, piece)

    def _store_all(self) -> int:
        """Empty the pipe into the file; return how much of it is there now."""
        stored = 0
        try:
            while count := self._store():
                stored += count
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno not in _FULL:
                raise
            self._wait_for_room()
        else:
            self.is_disk_full = False
        return stored

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

    def _wait_for_room(self) -> None:
        """Leave the bytes in pipe and terminal, where the agent waits for them, and come back by a timer."""
        self.is_disk_full = True
        self._pause()
        if self._retry is None:
            self._retry = self._loop.call_later(_RETRY, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self.is_disk_full = False
        self._turn()
        if not self.is_disk_full:
            self.start()


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
