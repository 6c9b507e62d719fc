"""Rows that are seen no longer: which of them are told, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from descartes_core.recordings.grid import Row

#: A row, and whether a full-screen program showed it.
OnRow = Callable[[Row, bool], None]


class Outgoing:
    """What a screen was wiped of is told once it is known that it is not painted again."""

    def __init__(self, on_row: OnRow) -> None:
        self._on_row = on_row
        self._wiped: list[Row] = []
        self._was_full = False

    def wiped(self, grid: list[Row], *, is_full: bool) -> None:
        """Take a whole screen that its program wiped."""
        self._settle(grid)
        self._wiped, self._was_full = grid, is_full

    def shown(self, grid: list[Row], *, is_full: bool) -> None:
        """Take a whole screen that stays as it is."""
        self._settle(grid)
        self._tell(grid, is_full=is_full)

    def left(self, row: Row, grid: Sequence[Row]) -> None:
        """Take a row that left a screen, of which this is the rest."""
        if self._wiped:
            self._settle([row, *grid])
        self._on_row(row, False)

    def _settle(self, grid: Sequence[Row]) -> None:
        """Tell what was wiped before, unless this shows half of it again."""
        wiped, self._wiped = self._wiped, []
        before = [text for row in wiped if (text := "".join(row.cells).strip())]
        again = {"".join(row.cells).strip() for row in grid}
        if sum(text in again for text in before) * 2 < len(before):
            self._tell(wiped, is_full=self._was_full)

    def _tell(self, grid: Sequence[Row], *, is_full: bool) -> None:
        last = max((number for number, row in enumerate(grid) if row.cells), default=-1)
        for row in grid[: last + 1]:
            self._on_row(row, is_full)
