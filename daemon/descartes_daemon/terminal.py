"""A pseudo-terminal: opened, sized, typed into."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import struct
import sys
import termios

from descartes_core.errors import LimitReached, Refused

#: What may wait for an agent that does not read its terminal.
_MOST_WAITING = 1024 * 1024
_MUCH_WAITING = 65_536
#: ioctl: open the other side of this very terminal, wherever /dev/pts is mounted (Linux 4.13, asm-generic/ioctls.h).
_TIOCGPTPEER = 0x5441


class Terminal:
    """One side of a pseudo-terminal: the master, which the daemon holds."""

    def __init__(self, master: int) -> None:
        self.master = master
        os.set_blocking(master, False)
        #: One slave is held open until the agent's exit is known: a program may close its terminal and open it again.
        self._slave: int | None = None
        self._waiting = bytearray()
        self._room = asyncio.Event()
        self._room.set()
        self._is_closed = False

    @classmethod
    def open(cls, rows: int, cols: int) -> Terminal:
        """Make a new one."""
        master, slave = os.openpty()
        terminal = cls(master)
        terminal._slave = slave
        terminal.resize(rows, cols)
        return terminal

    @property
    def name(self) -> str:
        """The path by which a program opens it."""
        if self._slave is None:
            raise Refused("the agent's terminal is closed")
        return os.ttyname(self._slave)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols, _, _ = struct.unpack("HHHH", fcntl.ioctl(self.master, termios.TIOCGWINSZ, b"\0" * 8))
        return rows, cols

    def resize(self, rows: int, cols: int) -> None:
        """Set the size; the foreground program hears of it by SIGWINCH when it is another one."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def hold(self) -> None:
        """Hold the other side open again, after the one who held it is gone."""
        if self._slave is None and sys.platform == "linux":
            flags = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
            with contextlib.suppress(OSError):  # without it only a program that closes its terminal is cut short
                self._slave = fcntl.ioctl(self.master, _TIOCGPTPEER, flags)

    def let_go(self) -> None:
        """Stop holding the other side: from now on the master hangs up when the last program is gone."""
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None

    def type(self, data: bytes) -> None:
        """Write, without waiting; what the terminal does not take waits in memory.

        Raises:
            LimitReached: the agent does not read, and too much waits already; nothing of this is written.
            Refused: the terminal is closed.

        """
        if self._is_closed:
            raise Refused("the agent's terminal is closed")
        if len(self._waiting) + len(data) > _MOST_WAITING:
            raise LimitReached(f"the agent does not read its terminal: {len(self._waiting)} bytes wait already")
        self._waiting += data
        if self._room.is_set():
            self._flush()

    @property
    def is_waiting(self) -> bool:
        """Whether something typed is not in the terminal yet."""
        return bool(self._waiting)

    @property
    def is_behind(self) -> bool:
        """Whether so much waits that no more should be read from who types."""
        return len(self._waiting) > _MUCH_WAITING

    async def typed(self) -> None:
        """Wait until the terminal has taken all that was typed."""
        await self._room.wait()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                del self._waiting[: os.write(self.master, self._waiting)]
        except BlockingIOError:
            if not self._is_hung_up():
                if self._room.is_set():
                    self._room.clear()
                    loop.add_writer(self.master, self._flush)
                return
            self._waiting.clear()  # nobody could read it, and a poll would spin from here on
        except OSError:
            self._waiting.clear()
        if not self._room.is_set():
            loop.remove_writer(self.master)
            self._room.set()

    def _is_hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self.master, 0)
        return any(event & select.POLLHUP for _, event in poll.poll(0))

    def close(self) -> None:
        """Close both sides."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._room.is_set():
            asyncio.get_running_loop().remove_writer(self.master)
            self._room.set()
        self.let_go()
        os.close(self.master)
