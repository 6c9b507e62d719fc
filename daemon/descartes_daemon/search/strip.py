"""What a block of terminal output says, quickly: lines, and texts that are drawn over others.

Sequences that move nothing are removed; whatever moves the cursor to another place ends a text there. Blocks are cut at
line ends and before control characters (`cut`), so that each can be read by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

#: Sequences that show and move nothing: colours, modes, erasing, strings (titles, links), charsets, keypad.
_QUIET = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@IK-RU-Z\[-_bcegh-tv-~]"
    rb"|[\]PX^_][^\x07\x18\x1a\x1b\n]*(?:\x07|\x18|\x1a|\x1b\\|$)|[ -/]+[0-~]|[=>\\cHNOZno|}~])"
)
#: Within the line: as good as a blank.
_ASIDE = re.compile(rb"\x1b\[[0-9;]*[CDGa`]")
#: What ends a text: a carriage return, a move to another line, something to be written over.
_MOVE = re.compile(rb"\r|\x1b(?:\[[0-?]*[ -/]*[@-~]?|[78DEM]?)")
_RETURNS = re.compile(rb"\r+\n")
_OVERSTRUCK = re.compile(rb"[^\x08\n]\x08")
#: Other controls are nothing; a form feed and a vertical tab end a line.
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\x0b\x0c\r\x1b") + b"\x7f"
_CONTROLS_AND_RETURN = _CONTROLS + b"\r"
_LINE_ENDS = bytes.maketrans(b"\x0b\x0c", b"\n\n")


class Text(NamedTuple):
    """Some text as it stood in a line."""

    text: bytes
    #: Where it begins in the cleaned block, or in the block (`placed`).
    at: int
    #: Whether something is drawn over it, or it over something.
    is_redrawn: bool = False
    #: How many lines the cursor went up before it; -1: to some place of the screen.
    ups: int = 0
    #: Whether a line ended behind it.
    ends_line: bool = False


def cleaned(block: bytes) -> bytes:
    """Remove all that shows and moves nothing; what is left of controls moves to other places."""
    if b"\x1b" in block:
        block = _ASIDE.sub(b" ", _QUIET.sub(b"", block))
    controls = _CONTROLS
    if returns := block.count(b"\r"):
        if block.count(b"\r\n") == returns:
            controls = _CONTROLS_AND_RETURN  # in each line's end: far the quickest way, and far the most common case
        else:
            block = _RETURNS.sub(b"\n", block)
    while b"\x08" in block:
        block, before = _OVERSTRUCK.sub(b"", block), block
        if block == before:
            break
    return block.translate(_LINE_ENDS, controls)


def is_painted(block: bytes) -> bool:
    """Say whether something in a cleaned block is drawn over something else."""
    return b"\r" in block or b"\x1b" in block


def separated(block: bytes) -> bytes:
    """Return the texts of a cleaned block, drawn over each other or not, each as a line."""
    return _MOVE.sub(b"\n", block) if is_painted(block) else block


def texts(block: bytes) -> Iterator[Text]:
    """Walk over the texts of a cleaned block."""
    begin = 0
    while begin <= len(block):
        end = block.find(b"\n", begin)
        ends_line, stop = end >= 0, end if end >= 0 else len(block)
        line = block[begin:stop]
        if b"\r" in line or b"\x1b" in line:
            yield from _redrawn(line, begin, ends_line)
        elif line or ends_line:
            yield Text(line, begin, ends_line=ends_line)
        begin = stop + 1


def _redrawn(line: bytes, begin: int, ends_line: bool) -> Iterator[Text]:
    at, ups = 0, 0
    for move in _MOVE.finditer(line):
        if move.start() > at:
            yield Text(line[at : move.start()], begin + at, True, ups)
            ups = 0
        ups, at = _added(ups, move[0]), move.end()
    if at < len(line) or ups or ends_line:
        yield Text(line[at:], begin + at, True, ups, ends_line)


def _added(ups: int, move: bytes) -> int:
    if ups < 0 or move[-1:] not in b"AFHfJdM8" or move == b"\r":
        return ups
    if move[-1:] in b"AF":
        number = move[2:-1]
        return ups + min(int(number) if number.isdigit() and len(number) < 6 else 1, 1000)
    return -1


def cut(data: bytes, most: int, *, at_end: bool) -> int:
    """Return where a block that begins here ends: behind a line, else before a control, else between characters.

    Args:
        data: What is there.
        most: The block's largest size.
        at_end: Whether nothing comes behind `data`; else 0 is returned for a line that has no end yet.

    """
    if at_end and len(data) <= most:
        return len(data)
    if end := data.rfind(b"\n", 0, most) + 1:
        return end
    if len(data) < most:
        return 0
    for control in (b"\r", b"\x1b"):
        if (end := data.rfind(control, most // 2, most)) > 0:
            return end
    end = most
    while end > most - 4 and len(data) > end and 0x80 <= data[end] < 0xC0:
        end -= 1
    return end
