"""Show the fleet anew whenever something happens."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

from descartes_cli.following import follow
from descartes_core.errors import InvalidParams
from descartes_core.times import read as read_time
from descartes_local.home import Home

#: Many things that happen at once are one change (seconds).
_SETTLED = 0.1
#: From an event's time to its commit takes less than this: what is older than a drawing by more was on it.
_COMMITTED = 0.5
#: Whatever its time says (a clock may be set back), an event this long after the last drawing is drawn.
_LATEST = 2.0
#: Home, then line by line, then clear what is below: without the flicker of clearing all.
_BEGIN, _LINE_END, _END = "\x1b[H", "\x1b[K\r\n", "\x1b[K\x1b[J"
#: Lines are cut by the terminal, whatever its width: one that went on below could not be drawn over.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"


class _Page(io.StringIO):
    """What is printed, as wide and as coloured as on the terminal it is for."""

    def __init__(self, terminal: TextIO) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._terminal.fileno()


def watch(home: Home, only: str | None, show: Callable[[], None]) -> None:
    """Show, and show again after each event of these sessions, until Ctrl-C.

    Raises:
        InvalidParams: standard output is no terminal.

    """
    if not sys.stdout.isatty():
        raise InvalidParams("--watch needs a terminal; programs follow with descartes events -f --json")
    sys.stdout.write(_ENTER)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            _draw_for_ever(home, only, show)
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()


def _draw_for_ever(home: Home, only: str | None, show: Callable[[], None]) -> None:
    _draw(show)
    at, since = time.time(), time.monotonic()
    for event in follow(home, only, None):
        is_shown = read_time(event["timestamp"]) < at - _COMMITTED and time.monotonic() - since < _LATEST
        if not is_shown:
            time.sleep(_SETTLED)
            at, since = time.time(), time.monotonic()
            _draw(show)


def _draw(show: Callable[[], None]) -> None:
    page = _Page(sys.stdout)
    with contextlib.redirect_stdout(page):
        show()
    lines = [*page.getvalue().splitlines(), "", f"{time.strftime('%H:%M:%S')}  Ctrl-C leaves"]
    # What does not fit is left out: a screen that scrolls could not be drawn over.
    rows = _rows()
    shown = lines if len(lines) <= rows else [*lines[: rows - 2], f"… {len(lines) - rows} more", lines[-1]]
    sys.stdout.write(_BEGIN + _LINE_END.join(shown) + _END)
    sys.stdout.flush()


def _rows() -> int:
    return os.get_terminal_size(sys.stdout.fileno()).lines or 24
