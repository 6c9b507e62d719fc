"""A pseudo-terminal: opened, sized, held open."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
import termios

from descartes_core.errors import Refused
from descartes_daemon.keys import TerminalKeys

#: ioctl: open the other side of this very terminal, wherever /dev/pts is mounted (Linux 4.13, asm-generic/ioctls.h).
_TIOCGPTPEER = 0x5441


class Terminal:
    """One side of a pseudo-terminal: the master, which the daemon holds."""

    def __init__(self, master: int) -> None:
        self.master = master
        #: One slave is held open until the agent's exit is known: a program may close its terminal and open it again.
        self._slave: int | None = None
        #: Its keyboard.
        self.keys = TerminalKeys(master)
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

    def close(self) -> None:
        """Close both sides."""
        if self._is_closed:
            return
        self._is_closed = True
        self.keys.close()
        self.let_go()
        os.close(self.master)
