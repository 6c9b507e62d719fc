"""What stands for a screen where no emulator is installed.

Raw history is never replayed into a person's terminal: programs ask their terminal questions, and it would answer them
again. So it is text without control sequences, and the modes the program has switched, so that its next paint is right.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from descartes_core.plain_text import PlainText
from descartes_daemon.output_log import OutputLog

#: How far back modes are looked for, and text (bytes).
_MODES_FROM, _TEXT_FROM = 1024 * 1024, 65_536
_SWITCH = re.compile(rb"\x1b\[\?([0-9;]{1,40})([hl])")
#: Cursor keys, mouse, focus, paste, alternate screen: those that stay, and ask the terminal nothing.
_MODES = (1, 9, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1049, 1047, 47, 2004)
_ALTERNATE = (47, 1047, 1049)
#: The cursor is seen unless it was hidden.
_CURSOR = 25
_PASTE = 2004


@dataclass(frozen=True, slots=True)
class Guess:
    """Something like a screen: the last lines, and what was switched on."""

    #: The last lines, one below the other.
    text: str
    #: What switches a fresh terminal to the same modes.
    modes: str
    alternate: bool
    cursor_visible: bool
    bracketed_paste: bool

    @property
    def vt(self) -> str:
        """What paints it in an empty terminal."""
        if self.alternate:
            return self.modes  # a full-screen program: only its own paint says what is to be seen
        return self.text.replace("\n", "\r\n") + self.modes


def guess(log: OutputLog, rows: int, end: int | None = None) -> Guess:
    """Return what is likely to be seen in a terminal of this height, now or when the log ended here; in a thread."""
    recent = _recent(log, log.size if end is None else end)
    switched = _switched(recent)
    modes = "".join(f"\x1b[?{mode}h" for mode in _MODES if switched.get(mode))
    is_hidden = switched.get(_CURSOR) is False
    if is_hidden:
        modes += f"\x1b[?{_CURSOR}l"
    return Guess(
        text=_last_lines(recent[-_TEXT_FROM:], rows),
        modes=modes,
        alternate=any(switched.get(mode, False) for mode in _ALTERNATE),
        cursor_visible=not is_hidden,
        bracketed_paste=switched.get(_PASTE, False),
    )


def _recent(log: OutputLog, end: int) -> bytes:
    """Return the last bytes before this offset, behind what is not there any more."""
    start, recent = max(0, end - _MODES_FROM), b""
    while start < end:
        if (gap := log.gap(start)) is not None:
            start, recent = gap.end, b""
        elif piece := log.read_apart(start, end - start):
            start, recent = start + len(piece), recent + piece
        elif log.gap(start) is None:  # nor was it dropped just now
            break  # somebody cut the file
    return recent


def _switched(output: bytes) -> dict[int, bool]:
    found: dict[int, bool] = {}
    for numbers, final in _SWITCH.findall(output):
        for number in numbers.split(b";"):
            if number:
                found[int(number)] = final == b"h"
    return found


def _last_lines(output: bytes, rows: int) -> str:
    plain = PlainText()
    text = plain.feed(output) + plain.rest()
    return "\n".join(text.split("\n")[-rows:])
