"""Read a recording of asciinema's: asciicast v1, v2 and v3.

Lines come one by one; what is wrong is told with its line's number. Times never go back, sizes are those of real
terminals, and what is of no known kind is counted and left out.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from descartes_core.recordings.moments import Moment

#: No line of a real recording is longer (characters).
LONGEST_LINE = 16 * 1024 * 1024
#: No recording lasts longer (seconds): some thirty years.
_LONGEST = 1e9
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})\Z")
_KINDS = {"o": "output", "i": "input", "r": "sizes", "m": "markers", "x": "exit"}


class WrongCast(ValueError):
    """It is no recording."""


class CastFile:
    """One recording; walk over `moments` once, then the rest of it is known."""

    def __init__(self, lines: Iterable[str], *, began: float) -> None:
        """Take its lines, and when it began where it does not say so itself.

        Raises:
            WrongCast: its first line is no header.

        """
        self._lines = enumerate(lines, 1)
        self._number = 0
        #: How many events of which kind were left out.
        self.left_out: Counter[str] = Counter()
        self.events = 0
        self.exit_code: int | None = None
        header = self._header(next(self._lines, (1, ""))[1])
        self.version = header.get("version")
        if self.version not in (1, 2, 3):
            raise WrongCast("it is no asciicast of version 1, 2 or 3")
        term = header.get("term") if self.version == 3 else {"cols": header.get("width"), "rows": header.get("height")}
        term = term if isinstance(term, dict) else {}
        self.size = _size(term.get("rows"), term.get("cols"))
        self.title = _text(header.get("title"))
        self.command = _text(header.get("command"))
        stamp: Any = header.get("timestamp")
        self.began = float(stamp) if _is_number(stamp) and 0 < stamp < 1e11 else began
        self._stdout = header.get("stdout") if self.version == 1 else None
        #: The last moment's time.
        self.ended = self.began

    def moments(self) -> Iterator[Moment]:
        """Walk over what it has; first comes its size.

        Raises:
            WrongCast: a line is no event.

        """
        yield Moment(self.began, "size", size=self.size)
        for after, kind, data in self._old() if self.version == 1 else self._events():
            self.events += 1
            self.ended = max(self.ended, self.began + after)
            moment = self._moment(self.ended, kind, data)
            if moment is not None:
                yield moment

    def _moment(self, at: float, kind: str, data: str) -> Moment | None:
        if kind in ("o", "i"):
            return Moment(at, "out" if kind == "o" else "in", data.encode("utf-8", "replace")) if data else None
        if kind == "r" and (found := _SIZE.match(data)):
            self.size = _size(int(found[2]), int(found[1]))
            return Moment(at, "size", size=self.size)
        if kind == "x":
            self.exit_code = int(data) % 256 if re.fullmatch(r"-?\d{1,9}", data) else None
            return None
        self.left_out[_KINDS.get(kind, "others")] += 1
        return None

    def _events(self) -> Iterator[tuple[float, str, str]]:
        total = 0.0
        for number, line in self._lines:
            self._number = number
            if not line.strip() or (line.startswith("#") and self.version == 3):
                continue
            if len(line) > LONGEST_LINE:
                raise self._wrong("it is too long")
            event = self._value(line)
            if not isinstance(event, list) or len(event) < 3 or not isinstance(event[1], str):
                raise self._wrong("it is no event")
            at = self._time(event[0])
            total = total + at if self.version == 3 else at
            yield total, event[1], event[2] if isinstance(event[2], str) else str(event[2])

    def _old(self) -> Iterator[tuple[float, str, str]]:
        total = 0.0
        for event in self._stdout if isinstance(self._stdout, list) else []:
            if not isinstance(event, list) or len(event) != 2 or not isinstance(event[1], str):
                raise self._wrong("its stdout has what is no event")
            total += self._time(event[0])
            yield total, "o", event[1]

    def _header(self, line: str) -> dict[str, Any]:
        self._number = 1
        if len(line) > LONGEST_LINE:
            raise self._wrong("it is too long")
        try:
            header = self._value(line)
        except WrongCast:
            header = self._value(line + self._rest())  # a v1 may be written over many lines
        if not isinstance(header, dict):
            raise WrongCast("it is no asciicast: its first line is no JSON object")
        return header

    def _rest(self) -> str:
        lines, size = [], 0
        for _, line in self._lines:
            size += len(line)
            if size > LONGEST_LINE:
                raise self._wrong("it is no asciicast")
            lines.append(line)
        return "".join(lines)

    def _value(self, line: str) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise self._wrong("it is no JSON") from None

    def _time(self, found: Any) -> float:
        if not _is_number(found) or found > _LONGEST:
            raise self._wrong("its time is none")
        return max(float(found), 0.0)

    def _wrong(self, why: str) -> WrongCast:
        return WrongCast(f"line {self._number}: {why}")


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and abs(found) < 1e18 and math.isfinite(found)


def _size(rows: Any, cols: Any) -> tuple[int, int]:
    return _cells(rows, 24), _cells(cols, 80)


def _cells(found: Any, usual: int) -> int:
    return min(max(int(found), 1), 1000) if _is_number(found) and found else usual


def _text(found: Any) -> str:
    return found[:1000].encode("utf-8", "replace").decode() if isinstance(found, str) else ""
