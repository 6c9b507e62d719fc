"""What lasts is told in one line, which then is gone."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

#: Ends once the line was written for the first time: by the signal that writes it.
_PROGRAM = "import signal; from descartes_cli.progress import lasting\nwith lasting({what!r}): signal.pause()"
COLUMNS = 40


def told(what: str) -> str:
    """Return all that a terminal of so many columns is sent while something lasts."""
    keyboard, terminal = pty.openpty()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 24, COLUMNS, 0, 0))
        program = [sys.executable, "-c", _PROGRAM.format(what=what)]
        subprocess.run(program, stderr=terminal, check=True, timeout=30)
        return os.read(keyboard, 65_536).decode()
    finally:
        os.close(keyboard)
        os.close(terminal)


def test_a_line_is_written_and_taken_away() -> None:
    assert told("stopping shop") == "\rstopping shop … 1 s \x1b[K\r\x1b[K"


def test_what_is_longer_than_a_line_is_cut() -> None:
    line = told("waiting for " + "fixer, " * 50).split("\r")[1].removesuffix("\x1b[K")
    assert len(line) < COLUMNS
    assert line.startswith("waiting for fixer")
    assert line.endswith(" … 1 s ")
