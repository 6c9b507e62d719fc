"""Rows of cells, and what is written into them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from descartes_core.recordings.style import USUAL, Style

#: All others take one column each.
_ODD = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0dff\u0e31-\u0e4e\u1100-\u115f"
    "\u200b-\u200f\u20d0-\u20f0\u231a-\u23ff\u25fd-\u27bf\u2b1b-\u2b55\u2e80-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff"
    "\ufe00-\ufe6f\uff00-\uff60\uffe0-\uffe6\U00016fe0-\U0001ffff\U00020000-\U000e01ef]"
)
#: What joins the character before it may not make a cell endless.
_LONGEST_CELL = 16


class Row:
    """One row; a cell is a character with what joins it, or nothing behind one that is two columns wide."""

    __slots__ = ("cells", "goes_on", "styles")

    def __init__(self) -> None:
        self.cells: list[str] = []
        self.styles: list[Style] = []
        #: Whether its line goes on in the next row.
        self.goes_on = False

    def put(self, column: int, cells: list[str], style: Style) -> None:
        """Write cells from a column on."""
        missing = column - len(self.cells)
        if missing > 0:
            self.cells += [" "] * missing
            self.styles += [USUAL] * missing
        if column == len(self.cells):
            self.cells += cells
            self.styles += [style] * len(cells)
            return
        end = column + len(cells)
        self.cells[column:end] = cells
        self.styles[column:end] = [style] * len(cells)

    def erase(self, begin: int, end: int, style: Style) -> None:
        """Empty these cells; a background stays."""
        end = min(end, len(self.cells)) if style.background is None else end
        if begin < end:
            self.put(begin, [" "] * (end - begin), Style(background=style.background))
            self.goes_on = self.goes_on and end < len(self.cells)

    def insert(self, column: int, count: int, width: int) -> None:
        """Move what stands from a column on to the right; what leaves the row is gone."""
        if column < len(self.cells):
            self.cells[column:column] = [" "] * count
            self.styles[column:column] = [USUAL] * count
            del self.cells[width:], self.styles[width:]

    def delete(self, column: int, count: int) -> None:
        """Move what stands behind these cells to the left."""
        del self.cells[column : column + count], self.styles[column : column + count]

    def runs(self) -> Iterator[tuple[str, Style]]:
        """Walk over what looks the same; blanks at its end are none."""
        if self.styles and self.styles.count(self.styles[0]) == len(self.styles):  # most rows
            text, style = "".join(self.cells), self.styles[0]
            if style.is_usual and not self.goes_on:
                text = text.rstrip(" ")
            if text:
                yield text, style
            return
        end = len(self.cells)
        while end and not self.goes_on and self.cells[end - 1] == " " and self.styles[end - 1].is_usual:
            end -= 1
        begin = 0
        while begin < end:
            style, stop = self.styles[begin], begin + 1
            while stop < end and self.styles[stop] is style:
                stop += 1
            yield "".join(self.cells[begin:stop]), style
            begin = stop

    def join(self, column: int, character: str) -> None:
        """Add what joins the character before this column."""
        at = min(column, len(self.cells)) - 1
        if at > 0 and not self.cells[at]:
            at -= 1
        if at >= 0 and len(self.cells[at]) < _LONGEST_CELL:
            self.cells[at] += character


def cells_of(text: str) -> Iterator[tuple[str, int]]:
    """Walk over characters and how many columns each takes; runs of usual ones come as one, with 1."""
    if text.isascii() or not _ODD.search(text):
        yield text, 1
        return
    for character in text:
        if (
            unicodedata.combining(character)
            or character in "\u200b\u200c\u200d\u200e\u200f\ufe0e\ufe0f"
            or unicodedata.category(character) in ("Mn", "Me")
        ):
            yield character, 0
        else:
            yield character, 2 if unicodedata.east_asian_width(character) in "WF" else 1
