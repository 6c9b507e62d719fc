"""A terminal emulator, as far as screens need one.

Nobody answers what a program asks its terminal: the emulator reads a log, hours later perhaps, and what it would say is
no news to the program and would be typed into whatever runs by then. An attached terminal answers for itself.
"""

from __future__ import annotations

import logging
from typing import Protocol

from descartes_daemon.ghostty import Ghosts
from descartes_daemon.ghostty_library import Library, find_library

_log = logging.getLogger(__name__)


class Emulator(Protocol):
    """One terminal that nobody sits at; what it cannot do, it says as a RuntimeError."""

    def feed(self, output: bytes) -> None:
        """Take what a program wrote, cut anywhere."""

    def resize(self, rows: int, cols: int) -> None:
        """Become another size."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 0."""

    @property
    def cursor_visible(self) -> bool:
        """Whether the cursor is to be seen."""

    @property
    def alternate(self) -> bool:
        """Whether the alternate screen is shown."""

    @property
    def title(self) -> str:
        """The window's title."""

    def mode(self, number: int) -> bool:
        """Say whether a private mode is on."""

    def text(self) -> str:
        """Return the lines of the screen, without the blanks at their ends."""

    def snapshot(self) -> str:
        """Return what paints this screen in an empty terminal of the same size, modes and all, and asks it nothing."""

    def save(self) -> bytes | None:
        """Return all of it for `Emulators.restore`; None in the middle of something too long to be saved."""

    def pending(self) -> bytes:
        """Return the beginning of a sequence, or of a letter, whose rest is still to come: it shows nothing yet."""

    def close(self) -> None:
        """Give its memory back."""


class Emulators(Protocol):
    """Makes emulators."""

    def make(self, rows: int, cols: int) -> Emulator:
        """Return a new one."""

    def restore(self, saved: bytes) -> Emulator | None:
        """Return one as it was when it was saved; None when this is nothing that it can read."""


def load() -> Emulators | None:
    """Return the emulators of this installation, None when there are none."""
    path = find_library()
    if path is None:
        return None
    try:
        return Ghosts(Library(path))
    except OSError as error:
        _log.warning("no emulator: %s", error)
        return None
