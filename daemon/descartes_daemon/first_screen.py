"""What an attached terminal shows before the program has painted again.

Raw history is never replayed into a person's terminal: programs ask their terminal questions, and it would answer them
again. So it is text without control sequences, and the modes the program has switched, so that its next paint is right.
"""

from __future__ import annotations

import re

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


def first_screen(log: OutputLog, rows: int) -> str:
    """Return what paints something like the present screen in an empty terminal of this height."""
    start = max(0, log.size - _MODES_FROM)
    recent = log.read(start, _MODES_FROM)
    switched = _switched(recent)
    modes = "".join(f"\x1b[?{mode}h" for mode in _MODES if switched.get(mode))
    if switched.get(_CURSOR) is False:
        modes += f"\x1b[?{_CURSOR}l"
    if any(switched.get(mode) for mode in _ALTERNATE):
        return modes  # a full-screen program: only its own paint says what is to be seen
    return _last_lines(recent[-_TEXT_FROM:], rows) + modes


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
    return "\r\n".join(text.split("\n")[-rows:])
