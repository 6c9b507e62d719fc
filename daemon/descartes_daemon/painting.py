"""Put together what paints a screen in a person's terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Everything that would move or colour what is painted is put back, then the screen is cleared: there may be something
#: on it, of this program or another.
_BEGIN = "\x1b[?1049l\x1b[?6l\x1b[?69l\x1b[4l\x1b[?7h\x1b(B\x1b)B\x0f\x1b]8;;\x1b\\\x1b[0m\x1b[r\x1b[H\x1b[2J"
#: Reverse video, cursor keys, mouse, focus, paste, colour schemes: private modes that stay, are off in a fresh
#: terminal, and ask nothing. Not among them: 2026 (a terminal that waits for its end shows nothing), 2027 (on in some)
#: and 2048 (the terminal tells its size at once).
_MODES = (1, 5, 9, 45, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004, 2031)
_NO_KEYBOARD = "\x1b[=0;1u"
_ALTERNATE = (1049, 1047, 47)
_ORIGIN, _MARGINS, _WRAP, _KEYPAD, _CURSOR, _INSERT = 6, 69, 7, 66, 25, 4
_PLACE = re.compile(r"\x1b\[(\d+);(\d+)H")
_TOP, _LEFT = re.compile(r"\x1b\[(\d+);\d+r"), re.compile(r"\x1b\[(\d+);\d+s")
#: What no cell, link or title may bring in: C0 but for what is used here, DEL, C1.
_FOREIGN = re.compile("[\x00-\x0e\x10-\x1a\x1c-\x1f\x7f-\x9f]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f]")
_LONGEST_TITLE = 1000


@dataclass(frozen=True, slots=True)
class Canvas:
    """One of a terminal's two screens, in sequences."""

    #: Each row's cells; nothing for an empty row.
    rows: Sequence[str]
    #: Where it scrolls; nothing where all of it does.
    region: str
    #: Where the cursor is; with the last cell again where the next letter begins a new line.
    cursor: str
    pen: str
    #: The link that what is written next belongs to; those of what was written are not told.
    link: str
    charsets: str
    #: The keyboard protocol.
    keyboard: str

    def painted(self) -> str:
        """Return what paints the cells, on a cleared screen."""
        return "".join(f"\x1b[{number};1H{row}" for number, row in enumerate(self.rows, 1) if row)


def paint(canvas: Canvas, primary: Canvas | None, mode: Callable[[int], bool], *, insert: bool, title: str) -> str:
    """Return what paints a terminal.

    Args:
        canvas: what is shown.
        primary: what lies under it, where the alternate screen is shown.
        mode: tells which private modes are on.
        insert: whether letters push others aside.
        title: the window's.

    """
    parts = [_BEGIN]
    if primary is not None:
        switch = next((number for number in _ALTERNATE if mode(number)), _ALTERNATE[0])
        parts += [primary.painted(), primary.cursor, primary.pen, f"\x1b[?{switch}h", "\x1b[0m\x1b[H\x1b[2J"]
    parts += [canvas.painted(), "\x1b[0m"]
    parts += _placed(canvas, mode)
    parts += [f"\x1b[?{number}{'h' if mode(number) else 'l'}" for number in (*_MODES, _WRAP, _CURSOR)]
    parts += ["\x1b=" if mode(_KEYPAD) else "\x1b>", canvas.keyboard or _NO_KEYBOARD, "\x1b[4h" if insert else ""]
    if clean := _UNPRINTABLE.sub("", title)[:_LONGEST_TITLE]:
        parts.append(f"\x1b]2;{clean}\x1b\\")
    return _FOREIGN.sub("", "".join(parts))


def _placed(canvas: Canvas, mode: Callable[[int], bool]) -> list[str]:
    """Return what puts the cursor where it is; the order counts: margins and origin move it."""
    parts = ["\x1b[?69h"] if mode(_MARGINS) else []
    parts.append(canvas.region)
    cursor = canvas.cursor
    if mode(_ORIGIN):
        top, left = _number(_TOP, canvas.region), _number(_LEFT, canvas.region)
        parts.append("\x1b[?6h")
        cursor = _PLACE.sub(lambda at: f"\x1b[{max(int(at[1]) - top, 0) + 1};{max(int(at[2]) - left, 0) + 1}H", cursor)
    return [*parts, cursor, canvas.pen, canvas.link, canvas.charsets]


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 1
