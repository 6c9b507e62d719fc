"""A small terminal: enough of one to know which lines were there in the end.

Lines that leave it at its top are handed over, as are those that a program wipes off, and what its screens show at the
end. What is painted over and over again is handed over once, as it was the last time. It knows what programs use most;
of anything else nothing is seen, and the rest stands where it should.
"""

from __future__ import annotations

from descartes_core.recordings.grid import Row, cells_of
from descartes_core.recordings.outgoing import OnRow, Outgoing
from descartes_core.recordings.sequences import Sequences, Token
from descartes_core.recordings.style import USUAL, Style, changed

#: A larger screen than any person has; a recording may claim anything.
_LARGEST = 1000
_DRAWN = str.maketrans("`afgjklmnopqrstuvwxyz{|}~", "◆▒°±┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")


class Screen:
    """Takes text with its control sequences; one per recording."""

    def __init__(self, rows: int, cols: int, on_row: OnRow) -> None:
        self._rows_out = Outgoing(on_row)
        self._sequences = Sequences()
        self._rows, self._cols = _within(rows), _within(cols)
        self._grid = [Row() for _ in range(self._rows)]
        #: The usual screen, while a program shows another one.
        self._usual: list[Row] | None = None
        self._saved = 0, 0, USUAL
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._row = self._col = 0
        self._style: Style = USUAL
        self._top, self._bottom = 0, self._rows - 1
        self._is_drawing = False
        self._wraps = True
        self._last = " "

    def feed(self, text: str) -> None:
        """Take what a terminal is told."""
        for token in self._sequences.feed(text):
            if token.kind == "text":
                self._write(token.text)
            elif token.kind == "control":
                self._control(token.text)
            elif token.kind == "csi":
                self._csi(token)
            elif token.kind == "escape":
                self._escape(token.text)

    def resize(self, rows: int, cols: int) -> None:
        """Have another size; lines stay as long as they are."""
        rows, cols = _within(rows), _within(cols)
        while len(self._grid) > rows:
            if self._row < len(self._grid) - 1 and not self._grid[-1].cells:
                self._grid.pop()
            else:
                self._hand_over(self._grid.pop(0))
                self._row -= 1
        self._grid += [Row() for _ in range(rows - len(self._grid))]
        self._rows, self._cols = rows, cols
        self._top, self._bottom = 0, rows - 1
        self._move(self._row, self._col)

    def end(self) -> None:
        """Hand over what is still shown; what comes later begins on an empty screen."""
        if self._usual is not None:
            self._leave()
        self._rows_out.shown(self._grid, is_full=False)
        self._grid = [Row() for _ in range(self._rows)]
        self._begin_anew()

    def _write(self, text: str) -> None:
        if self._is_drawing:
            text = text.translate(_DRAWN)
        for piece, wide in cells_of(text):
            if wide == 0:
                self._grid[self._row].join(self._col, piece)
            elif wide == 2:
                self._put([piece, ""])
            else:
                self._put_run(piece)
        self._last = text[-1]

    def _put_run(self, text: str) -> None:
        at = 0
        while at < len(text):
            if self._col >= self._cols:
                self._wrap()
            part = text[at : at + self._cols - self._col]
            self._put(list(part))
            at += len(part)

    def _put(self, cells: list[str]) -> None:
        if self._col + len(cells) > self._cols:
            self._wrap()
        self._grid[self._row].put(self._col, cells, self._style)
        self._col += len(cells)

    def _wrap(self) -> None:
        if self._wraps:
            self._grid[self._row].goes_on = True
            self._col = 0
            self._down()
        else:
            self._col = max(self._cols - 1, 0)

    def _down(self) -> None:
        if self._row == self._bottom:
            self._scroll(1)
        elif self._row < self._rows - 1:
            self._row += 1

    def _scroll(self, count: int) -> None:
        """Move the region up, or down where the count is negative."""
        for _ in range(min(abs(count), self._rows)):
            if count > 0:
                gone = self._grid.pop(self._top)
                self._grid.insert(self._bottom, Row())
                if self._top == 0 and self._usual is None:
                    self._hand_over(gone)
            else:
                self._grid.pop(self._bottom)
                self._grid.insert(self._top, Row())

    def _hand_over(self, row: Row) -> None:
        if self._usual is None:
            self._rows_out.left(row, self._grid)

    def _control(self, character: str) -> None:
        if character in "\n\x0b\x0c\x85":
            self._down()
            if character == "\x85":
                self._col = 0
        elif character == "\r":
            self._col = 0
        elif character == "\b":
            self._col = max(min(self._col, self._cols - 1) - 1, 0)
        elif character == "\t":
            self._col = min(self._col // 8 * 8 + 8, self._cols - 1)
        elif character in "\x0e\x0f":
            self._is_drawing = False

    def _escape(self, text: str) -> None:
        match text[1:]:
            case "7":
                self._saved = self._row, self._col, self._style
            case "8":
                row, col, self._style = self._saved
                self._move(row, col)
            case "D":
                self._down()
            case "E":
                self._col = 0
                self._down()
            case "M":
                if self._row == self._top:
                    self._scroll(-1)
                else:
                    self._row = max(self._row - 1, 0)
            case "c":
                self._wipe()
                self._begin_anew()
            case "(0":
                self._is_drawing = True
            case "(B":
                self._is_drawing = False

    def _csi(self, token: Token) -> None:
        body = token.text[1:-1] if token.text[0] == "\x9b" else token.text[2:-1]
        final = token.text[-1]
        if body[:1] in ("?", ">", "<", "="):
            if body[0] == "?" and final in "hl":
                self._mode(body[1:].split(";"), is_on=final == "h")
            return
        if body and not body[-1].isdigit() and body[-1] not in ";:":
            return
        if final == "m":
            self._style = changed(self._style, body)
            return
        numbers = [min(int(one), 10_000) if one.isdecimal() and len(one) < 9 else 0 for one in body.split(";")]
        self._do(final, numbers, max(numbers[0], 1))

    def _do(self, final: str, numbers: list[int], count: int) -> None:
        row = self._grid[self._row]
        match final:
            case "A" | "F":
                self._move(self._row - count, 0 if final == "F" else self._col)
            case "B" | "e" | "E":
                self._move(self._row + count, 0 if final == "E" else self._col)
            case "C" | "a":
                self._move(self._row, self._col + count)
            case "D":
                self._move(self._row, min(self._col, self._cols - 1) - count)
            case "G" | "`":
                self._move(self._row, count - 1)
            case "d":
                self._move(count - 1, self._col)
            case "H" | "f":
                self._move(count - 1, (max(numbers[1], 1) if len(numbers) > 1 else 1) - 1)
            case "K":
                begin, end = {0: (self._col, self._cols), 1: (0, self._col + 1)}.get(numbers[0], (0, self._cols))
                row.erase(begin, max(end, len(row.cells)) if numbers[0] != 1 else end, self._style)
            case "X":
                row.erase(self._col, self._col + count, self._style)
            case "J":
                self._erase(numbers[0])
            case "@":
                row.insert(self._col, min(count, self._cols), self._cols)
            case "P":
                row.delete(self._col, count)
            case "L" | "M":
                self._lines(count if final == "M" else -count)
            case "S" | "T":
                self._scroll(count if final == "S" else -count)
            case "b":
                self._write(self._last * min(count, self._cols))
            case "r":
                self._region(numbers)
            case "s":
                self._saved = self._row, self._col, self._style
            case "u":
                self._move(*self._saved[:2])

    def _move(self, row: int, col: int) -> None:
        self._row = min(max(row, 0), self._rows - 1)
        self._col = min(max(col, 0), self._cols - 1)

    def _region(self, numbers: list[int]) -> None:
        top = max(numbers[0], 1) - 1
        bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self._rows) - 1
        if top < bottom < self._rows:
            self._top, self._bottom = top, bottom
            self._move(0, 0)

    def _lines(self, count: int) -> None:
        if self._top <= self._row <= self._bottom:
            for _ in range(min(abs(count), self._rows)):
                self._grid.pop(self._row if count > 0 else self._bottom)
                self._grid.insert(self._bottom if count > 0 else self._row, Row())

    def _erase(self, what: int) -> None:
        if what in (2, 3) or (what == 0 and (self._row, self._col) == (0, 0)):
            if what != 3:
                self._wipe()
            return
        row = self._grid[self._row]
        if what == 0:
            row.erase(self._col, max(self._cols, len(row.cells)), self._style)
            rest = range(self._row + 1, self._rows)
        else:
            row.erase(0, self._col + 1, self._style)
            rest = range(self._row)
        for number in rest:
            self._grid[number] = Row()

    def _wipe(self) -> None:
        """Empty the screen; what it showed is handed over, unless much of it is painted again."""
        if any(row.cells for row in self._grid):
            self._rows_out.wiped(self._grid, is_full=self._usual is not None)
        self._grid = [Row() for _ in range(self._rows)]

    def _mode(self, modes: list[str], *, is_on: bool) -> None:
        for mode in modes:
            if mode == "7":
                self._wraps = is_on
            elif mode in ("47", "1047", "1049"):
                if is_on and self._usual is None:
                    self._enter()
                elif not is_on and self._usual is not None:
                    self._leave()

    def _enter(self) -> None:
        # What stands above was there before; the lines go up, as they do when a terminal is full.
        for row in self._grid[: self._row]:
            self._hand_over(row)
        self._grid = [*self._grid[self._row :], *(Row() for _ in range(self._row))]
        self._row = 0
        self._saved = self._row, self._col, self._style
        self._usual, self._grid = self._grid, [Row() for _ in range(self._rows)]

    def _leave(self) -> None:
        self._rows_out.shown(self._grid, is_full=True)
        assert self._usual is not None
        self._grid, self._usual = self._usual, None
        self._grid += [Row() for _ in range(self._rows - len(self._grid))]
        del self._grid[self._rows :]
        row, col, self._style = self._saved
        self._top, self._bottom = 0, self._rows - 1
        self._move(row, col)


def _within(size: int) -> int:
    return min(max(size, 1), _LARGEST)
