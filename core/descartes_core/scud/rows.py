"""One line of the graph: its fields, where they stand, and what is escaped in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

SEPARATOR = "---"
SECTIONS = ("meta", "nodes", "edges", "parents", "assignments", "agents", "details")
HEADER = "# SCUD Graph"
#: `Epic` is what phases were called first.
_TAG = re.compile(r"# ?(?:Phase|Epic):(.*)")
_PHASE = re.compile(rf"^(?:# ?(?:Phase|Epic):|@(?:{'|'.join(SECTIONS)})(?![^\s{{]))", re.MULTILINE)
_SEPARATOR = re.compile(rf"^{SEPARATOR}[^\S\n]*$", re.MULTILINE)
_SECTION = re.compile(r"@([^\s{]+)")
_FIELD = re.compile(r"(?:[^\\|]|\\.|\\$)*", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\|n])")
_UNESCAPED = {"\\": "\\", "|": "|", "n": "\n"}


class Line(NamedTuple):
    """One line and where it stands."""

    #: In the text, in characters.
    start: int
    #: Counted from 1.
    number: int
    #: Without its end.
    text: str
    #: The end: `\\n`, `\\r\\n`, or nothing.
    end: str


def lines_of(text: str) -> Iterator[Line]:
    """Yield the lines; only a line feed ends one, as other ends may stand in a title."""
    start, number = 0, 0
    while start < len(text):
        number += 1
        feed = text.find("\n", start)
        after = len(text) if feed < 0 else feed + 1
        shown = after if feed < 0 else feed
        if shown > start and text[shown - 1] == "\r":
            shown -= 1
        yield Line(start, number, text[start:shown], text[shown:after])
        start = after


def is_separator(line: str) -> bool:
    """Say whether the next phase begins behind this line."""
    return line.startswith(SEPARATOR) and line.rstrip() == SEPARATOR


def separators(text: str) -> list[int]:
    """Return where the separators of a text stand."""
    return [found.start() for found in _SEPARATOR.finditer(text)] if SEPARATOR in text else []


def is_phase(text: str) -> bool:
    """Say whether any line of this text is one that only a phase has."""
    return _PHASE.search(text) is not None


def clean(text: str) -> str:
    """Return text that every door can carry, as long as it was: bytes that are no UTF-8 come as lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def section_of(text: str) -> str | None:
    """Return the section that begins with this line."""
    found = _SECTION.match(text)
    return found[1] if found else None


def tag_of(text: str) -> str | None:
    """Return the phase that the header names."""
    found = _TAG.match(text)
    return found[1].strip() if found else None


def spans_of(row: str) -> list[tuple[int, int]]:
    """Return where each field of a row stands, spaces around it left out; an escaped `|` ends none."""
    spans, start = [], 0
    while True:
        found = _FIELD.match(row, start)
        end = found.end() if found else len(row)
        field = row[start:end]
        inner = start + len(field) - len(field.lstrip())
        spans.append((inner, max(inner, start + len(field.rstrip()))))
        if end >= len(row):
            return spans
        start = end + 1


def fields_of(row: str) -> list[str]:
    """Return the fields of a row, as they stand there."""
    if "\\" not in row:
        return [field.strip() for field in row.split("|")]
    return [row[start:end] for start, end in spans_of(row)]


def unescape(field: str) -> str:
    """Return what a field says."""
    return _ESCAPED.sub(lambda found: _UNESCAPED[found[1]], field) if "\\" in field else field


def escape(text: str) -> str:
    """Return a field that says this."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "\\n")
