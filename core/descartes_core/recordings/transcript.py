"""A recording as text: the lines that were there in the end, coloured or not."""

from __future__ import annotations

import codecs
import html
import re
from typing import Protocol

from descartes_core.recordings.grid import Row
from descartes_core.recordings.moments import Moment
from descartes_core.recordings.page import END, FULL, PRE, head
from descartes_core.recordings.screen import Screen
from descartes_core.recordings.style import Style, attributes
from descartes_core.redactor import Rules, Span, put

#: A line that goes on over more cells than this is told in parts.
_LONGEST_LINE = 65_536
#: So many lines wait to be written at most: a few bytes may scroll a screen away.
_MOST_LINES = 4096
#: What no page may have: control characters, halves of surrogate pairs, what is no character.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")

Runs = list[tuple[str, Style]]


class _Pen(Protocol):
    def begin(self, title: str, /) -> str: ...
    def line(self, runs: Runs, *, is_full: bool) -> str: ...
    def note(self, text: str) -> str: ...
    def end(self) -> str: ...


class Transcript:
    """Turns moments into a text or a page; one per recording."""

    def __init__(self, pen: _Pen, title: str, rules: Rules | None) -> None:
        self._pen, self._title, self._rules = pen, title, rules
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._screen: Screen | None = None
        self._told: list[str] = []
        #: Lines that have ended, and whether a full-screen program showed them.
        self._lines: list[tuple[Runs, bool]] = []
        self._line: Runs = []
        self._length = 0
        self._is_full = False

    def take(self, moment: Moment) -> str:
        """Return what can be written by now."""
        if self._screen is None:
            rows, cols = moment.size if moment.kind == "size" else (24, 80)
            self._screen = Screen(rows, cols, self._row)
            self._told.append(self._pen.begin(self._title))
        if moment.kind == "out":
            self._screen.feed(self._decoder.decode(moment.data))
        elif moment.kind == "size":
            self._screen.resize(*moment.size)
        elif moment.kind == "gap":
            self._screen.end()
            self._end_line()
            self._write_lines()
            self._told.append(self._pen.note(moment.text))
        return self._taken()

    def end(self) -> str:
        """Return the rest."""
        if self._screen is None:
            self._told.append(self._pen.begin(self._title))
        else:
            self._screen.feed(self._decoder.decode(b"", final=True))
            self._screen.end()
        self._end_line()
        self._write_lines()
        self._told.append(self._pen.end())
        return self._taken()

    def _write_lines(self) -> None:
        """Write what ended, all at once: which lines may hold a secret is quicker told of many."""
        lines, self._lines = self._lines, []
        doubtful: set[int] = set()
        if self._rules is not None:
            doubtful = {begin for begin, _ in self._rules.lines("\n".join(map(_text, (runs for runs, _ in lines))))}
        at = 0
        for runs, is_full in lines:
            text = _text(runs) if doubtful or self._rules is not None else ""
            if at in doubtful and self._rules is not None and (spans := self._rules.spans(text)):
                runs = hidden(runs, spans)
            self._told.append(self._pen.line(runs, is_full=is_full))
            at += len(text) + 1

    def _taken(self) -> str:
        self._write_lines()
        told = "".join(self._told)
        self._told.clear()
        return told

    def _row(self, row: Row, is_full: bool) -> None:
        if is_full != self._is_full:
            self._end_line()
            self._is_full = is_full
        self._line += row.runs()
        self._length += len(row.cells)
        if not row.goes_on or self._length > _LONGEST_LINE:
            self._end_line(always=True)

    def _end_line(self, *, always: bool = False) -> None:
        if self._line or always:
            self._lines.append((self._line, self._is_full))
            if len(self._lines) >= _MOST_LINES:
                self._write_lines()
        self._line, self._length = [], 0


def _text(runs: Runs) -> str:
    return "".join(text for text, _ in runs)


def hidden(runs: Runs, spans: list[Span]) -> Runs:
    """Return the same runs with these spans of their text hidden."""
    shown: Runs = []
    at = 0
    for text, style in runs:
        end = at + len(text)
        within = [(max(b - at, 0), min(e - at, len(text))) for b, e in spans if b < end and e > at]
        # A secret in several colours is one: what goes on is left out.
        if within and any(b < at < e for b, e in spans):
            text, within = text[within[0][1] :], [(b - within[0][1], e - within[0][1]) for b, e in within[1:]]
        shown.append((put(text, within), style))
        at = end
    return shown


class _Plain:
    def begin(self, _title: str) -> str:
        return ""

    def line(self, runs: Runs, *, is_full: bool) -> str:  # noqa: ARG002 - as a page has it
        return "".join(text for text, _ in runs).rstrip(" ") + "\n"

    def note(self, text: str) -> str:
        return f"[{text}]\n"

    def end(self) -> str:
        return ""


class _Html:
    def __init__(self) -> None:
        self._is_full = False

    def begin(self, title: str) -> str:
        return head(escaped(title)) + PRE

    def line(self, runs: Runs, *, is_full: bool) -> str:
        told = []
        if is_full != self._is_full:
            self._is_full = is_full
            told.append(f"</pre>\n{FULL if is_full else PRE}")
        for text, style in runs:
            shown = escaped(text)
            told.append(shown if style.is_usual else f"<span{attributes(style)}>{shown}</span>")
        return "".join([*told, "\n"])

    def note(self, text: str) -> str:
        self._is_full = False
        return f'</pre>\n<p class="gap">{escaped(text)}</p>\n{PRE}'

    def end(self) -> str:
        return f"</pre>\n{END}"


def escaped(text: str) -> str:
    """Return text as a page has it, whatever it is."""
    return html.escape(_UNFIT.sub("\ufffd", text))


def text_of(title: str, rules: Rules | None) -> Transcript:
    """Return what makes a text."""
    return Transcript(_Plain(), title, rules)


def html_of(title: str, rules: Rules | None) -> Transcript:
    """Return what makes a page."""
    return Transcript(_Html(), title, rules)
