"""Look through an output log for lines: the only file that imports re2."""

from __future__ import annotations

from typing import NamedTuple

import re2

from descartes_core.errors import InvalidParams
from descartes_core.plain_text import LONGEST_LINE, PlainText
from descartes_daemon.output_log import OutputLog

#: What one expression may take: it comes from anybody with the token.
_MEMORY = 8 * 1024 * 1024


class Line(NamedTuple):
    """A line that fits, without control sequences, and where it begins."""

    offset: int
    text: str


class Found(NamedTuple):
    """What was found, and where to go on."""

    lines: list[Line]
    next_offset: int
    #: Whether the rest is the beginning of a line that is not there yet.
    is_unfinished: bool


class LineFilter:
    """One regular expression; looking takes time in proportion to what is looked at, whatever it says."""

    def __init__(self, expression: str) -> None:
        """Understand it.

        Raises:
            InvalidParams: it is none that RE2 knows.

        """
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY
        try:
            self._expression = re2.compile(expression, options)
        except re2.error as error:
            (reason,) = error.args
            told = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            raise InvalidParams(f"filter: {told[:300]}") from error

    def look(self, log: OutputLog, offset: int, limit: int) -> Found:
        """Look through the whole lines of a piece; in a thread."""
        # Asked first: what comes in between is a reason to look again, not to take half a line for a whole one.
        is_ended, size = log.is_ended, log.size
        data = log.read_apart(offset, max(limit, LONGEST_LINE))
        end = offset + len(data)
        is_last = log.gap(end) is not None or (is_ended and end >= size)
        count = _whole(data, limit, is_last=is_last)
        rest = data[count:]
        is_unfinished = not is_last and end >= size and b"\n" not in rest and len(rest) < LONGEST_LINE
        return Found(self._fitting(data[:count], offset), offset + count, is_unfinished)

    def _fitting(self, data: bytes, offset: int) -> list[Line]:
        found, plain = [], PlainText()
        for raw in _lines(data):
            text = plain.feed(raw)
            if not raw.endswith(b"\n"):
                text += plain.rest()
            # Moves to other lines make several of one.
            whole = text.removesuffix("\n").split("\n") if text else []
            found += [Line(offset, line) for line in whole if self._expression.search(line)]
            offset += len(raw)
        return found


def _lines(data: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _whole(data: bytes, limit: int, *, is_last: bool) -> int:
    """Return how much of it is whole lines: no more than the limit, but one line at least."""
    if is_last and len(data) <= limit:
        return len(data)
    if end := data.rfind(b"\n", 0, limit) + 1 or data.find(b"\n") + 1:
        return end
    return min(len(data), LONGEST_LINE) if is_last or len(data) >= LONGEST_LINE else 0
