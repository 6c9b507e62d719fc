"""A word over an agent's terminal: its bottom line for a moment, its title, the bell."""

from __future__ import annotations

from descartes_cli.render import cut, pad

BELL = b"\x07"
#: How long a line is shown (seconds); then the screen is asked for again.
LONG_ENOUGH = 2.0
#: The cursor, its colours and its character set are kept and put back; the line is in reverse video.
_BEFORE, _AFTER = "\x1b7\x1b[?6l\x1b(B\x0f\x1b[0;7m", "\x1b[0m\x1b8"
_KEEP_TITLE, _TITLE_BACK = b"\x1b[22;2t", b"\x1b[23;2t"


class Notices:
    """What is shown that no agent said; one at a time."""

    def __init__(self) -> None:
        #: When the line has been there long enough.
        self.due: float | None = None
        self._has_title = False

    def line(self, text: str, rows: int, columns: int, *, now: float) -> bytes:
        """Return what shows a line at the bottom, until it is due to go."""
        self.due = now + LONG_ENOUGH
        # Not the last cell: writing there scrolls some terminals.
        room = max(columns - 1, 1)
        return f"{_BEFORE}\x1b[{rows};1H{pad(cut(f'[{text}]', room), room)}{_AFTER}".encode(errors="replace")

    def is_over(self, now: float) -> bool:
        """Say, once, that the line is to go."""
        if self.due is None or now < self.due:
            return False
        self.due = None
        return True

    def title(self, text: str) -> bytes:
        """Return what names the window."""
        keep = b"" if self._has_title else _KEEP_TITLE
        self._has_title = True
        return keep + f"\x1b]2;{text}\x1b\\".encode(errors="replace")

    def take_back(self) -> bytes:
        """Return what gives the window its name back."""
        return _TITLE_BACK if self._has_title else b""
