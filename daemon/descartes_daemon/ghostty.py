"""Terminals of libghostty-vt, as our emulator."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterator
from typing import Any

from descartes_daemon.ghostty_library import (
    NUMBERS,
    FormatterOptions,
    GridRef,
    Library,
    ModeConfig,
    Point,
    Rgb,
    ScreenExtra,
    Selection,
    TerminalExtra,
    Text,
)
from descartes_daemon.painting import Canvas, paint

#: Lines above the screen, for a terminal that grows again; with fewer it scrolls at a quarter of its speed (tried).
_SCROLLBACK = 2000
#: A sequence that is cut is saved with its beginning, up to this many bytes.
_LONGEST_CUT = 65_536
#: Nobody looks at pictures here, or pastes: what programs send of them is not kept.
_LIMITS = {
    "SCROLLBACK_MAX_LINES": _SCROLLBACK,
    "KITTY_IMAGE_STORAGE_LIMIT": 0,
    "APC_MAX_BYTES": 0,
    "APC_MAX_BYTES_KITTY": 0,
    "CLIPBOARD_WRITE_MAX_BYTES": 0,
    "CONTINUATION_MAX_BYTES": _LONGEST_CUT,
}
#: Only size reports and pictures tell of it.
_CELL = 8, 16
_ALTERNATE = (1049, 1047, 47)
#: No terminal shows it; this one would.
_DELETE = b"\x7f"
_INSERT, _ANSI = 4, 1 << 15


class Ghosts:
    """Makes terminals of Ghostty."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def make(self, rows: int, cols: int) -> Ghost:
        """Return a new one."""
        made = ctypes.c_void_p()
        _check(self._library.terminal_new(None, made, cols, rows), "a new terminal")
        return Ghost(self._library, made)

    def restore(self, saved: bytes) -> Ghost | None:
        """Return one as it was; None when it was not saved by this version, or is damaged."""
        decoder, made = ctypes.c_void_p(), ctypes.c_void_p()
        if self._library.snapshot_decoder_new_buf(None, decoder, saved, len(saved)):
            return None
        try:
            if self._library.snapshot_decoder_decode(decoder, made):
                return None
        finally:
            self._library.snapshot_decoder_free(decoder)
        return Ghost(self._library, made)


class Ghost:
    """One terminal; used by one thread at a time. No callback is set: it answers nobody, and opens nothing."""

    def __init__(self, library: Library, terminal: ctypes.c_void_p) -> None:
        self._library = library
        self._terminal = terminal
        for name, value in _LIMITS.items():
            limit = ctypes.c_uint64(value)
            _check(library.terminal_set(terminal, NUMBERS[f"TERMINAL_OPT_{name}"], ctypes.byref(limit)), name)

    def feed(self, output: bytes) -> None:
        """Take what a program wrote; other threads go on meanwhile."""
        output = output.translate(None, _DELETE)
        self._library.terminal_vt_write(self._terminal, output, len(output))

    def resize(self, rows: int, cols: int) -> None:
        """Become another size."""
        _check(self._library.terminal_resize(self._terminal, cols, rows, *_CELL), f"{rows} rows of {cols}")

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._number("ROWS"), self._number("COLS")

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 0."""
        return self._number("CURSOR_Y"), self._number("CURSOR_X")

    @property
    def cursor_visible(self) -> bool:
        """Whether the cursor is to be seen."""
        return bool(self._get("CURSOR_VISIBLE", ctypes.c_bool()).value)

    @property
    def alternate(self) -> bool:
        """Whether the alternate screen is shown."""
        return bool(self._get("ACTIVE_SCREEN", ctypes.c_int()).value == NUMBERS["TERMINAL_SCREEN_ALTERNATE"])

    @property
    def title(self) -> str:
        """The window's title."""
        title = self._get("TITLE", Text())
        return ctypes.string_at(title.ptr, title.len).decode(errors="replace") if title.len else ""

    def mode(self, number: int) -> bool:
        """Say whether a private mode is on."""
        return bool(self._get("MODE", ModeConfig(mode=number)).value)

    def _number(self, name: str) -> int:
        return int(self._get(name, ctypes.c_uint16()).value)

    def _get(self, name: str, room: Any) -> Any:
        _check(self._library.terminal_get(self._terminal, NUMBERS[f"TERMINAL_DATA_{name}"], ctypes.byref(room)), name)
        return room

    def text(self) -> str:
        """Return the lines of the screen, without the blanks at their ends."""
        rows, cols = self.size
        text = self._formatted((0, 0), (cols - 1, rows - 1), emit="PLAIN")
        return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")

    def snapshot(self) -> str:
        """Return what paints it."""
        insert = bool(self._get("MODE", ModeConfig(mode=_INSERT | _ANSI)).value)
        primary = self._primary() if self.alternate else None
        return paint(self._canvas(), primary, self.mode, insert=insert, title=self.title)

    def _primary(self) -> Canvas | None:
        """Return what lies under the alternate screen, from a copy that leaves it."""
        saved = self.save()
        copy = Ghosts(self._library).restore(saved) if saved is not None else None
        if copy is None:
            return None
        try:
            # CAN ends what is cut; each of the three ways in has its own way out.
            copy.feed(b"\x18" + b"".join(b"\x1b[?%dl" % number for number in _ALTERNATE if copy.mode(number)))
            return copy._canvas()
        finally:
            copy.close()

    def save(self) -> bytes | None:
        """Return all of it; None in the middle of a sequence that is too long to be kept."""
        return _filled(lambda *room: self._library.snapshot_encode_buf(self._terminal, *room))

    def pending(self) -> bytes:
        """Return the beginning of what is cut; nothing of something too long to be kept."""
        return _filled(lambda *room: self._library.terminal_continuation_buf(self._terminal, *room)) or b""

    def close(self) -> None:
        """Give its memory back."""
        terminal, self._terminal = self._terminal, ctypes.c_void_p()
        if terminal:
            self._library.terminal_free(terminal)

    def _canvas(self) -> Canvas:
        rows, cols = self.size
        return Canvas(
            rows=[self._formatted((0, row), (cols - 1, row)) or self._blank(row, cols) for row in range(rows)],
            region=self._extra(scrolling_region=True),
            cursor=self._extra(screen=ScreenExtra(cursor=True)),
            pen=self._extra(screen=ScreenExtra(style=True)),
            link=self._extra(screen=ScreenExtra(hyperlink=True)),
            charsets=self._extra(screen=ScreenExtra(charsets=True)),
            keyboard=self._extra(screen=ScreenExtra(kitty_keyboard=True)),
        )

    def _extra(self, **extra: Any) -> str:
        """Return what this adds to the first cell."""
        cell = self._formatted((0, 0), (0, 0))
        return self._formatted((0, 0), (0, 0), TerminalExtra(**extra)).removeprefix(cell)

    def _formatted(
        self, first: tuple[int, int], last: tuple[int, int], extra: TerminalExtra | None = None, emit: str = "VT"
    ) -> str:
        """Return the cells from one (column, row) to another."""
        extra = extra or TerminalExtra()
        extra.size, extra.screen.size = ctypes.sizeof(extra), ctypes.sizeof(extra.screen)
        selection = Selection(size=ctypes.sizeof(Selection), start=self._place(*first), end=self._place(*last))
        number = NUMBERS[f"FORMATTER_FORMAT_{emit}"]
        options = FormatterOptions(size=ctypes.sizeof(FormatterOptions), emit=number, trim=emit == "PLAIN", extra=extra)
        options.selection = ctypes.pointer(selection)
        formatter = ctypes.c_void_p()
        _check(self._library.formatter_terminal_new(None, formatter, self._terminal, options), "a formatter")
        try:
            found = _filled(lambda *room: self._library.formatter_format_buf(formatter, *room))
        finally:
            self._library.formatter_free(formatter)
        if found is None:
            raise RuntimeError("the screen cannot be formatted")
        return found.decode(errors="replace")

    def _place(self, col: int, row: int) -> GridRef:
        point = Point(tag=NUMBERS["POINT_TAG_ACTIVE"])
        point.value.x, point.value.y = col, row
        place = GridRef(size=ctypes.sizeof(GridRef))
        _check(self._library.terminal_grid_ref(self._terminal, point, place), f"column {col} of row {row}")
        return place

    def _blank(self, row: int, cols: int) -> str:
        """Return the background of a row without letters, which the library's formatter leaves out."""
        painted, col = [], 1
        for cell, run in itertools.groupby(self._cells(row, cols)):
            length = len(list(run))
            if cell and (colour := self._background(cell)):
                painted.append(f"\x1b[{col}G{colour}\x1b[{length}X\x1b[0m")
            col += length
        return "".join(painted)

    def _cells(self, row: int, cols: int) -> Iterator[int]:
        place, cell = self._place(0, row), ctypes.c_uint64()
        for place.x in range(cols):
            _check(self._library.grid_ref_cell(place, cell), "a cell")
            yield cell.value

    def _background(self, cell: int) -> str:
        tag, number, colour = ctypes.c_int(), ctypes.c_uint8(), Rgb()
        self._cell(cell, "CONTENT_TAG", tag)
        if tag.value == NUMBERS["CELL_CONTENT_BG_COLOR_PALETTE"]:
            self._cell(cell, "COLOR_PALETTE", number)
            return f"\x1b[48;5;{number.value}m"
        if tag.value == NUMBERS["CELL_CONTENT_BG_COLOR_RGB"]:
            self._cell(cell, "COLOR_RGB", colour)
            return f"\x1b[48;2;{colour.r};{colour.g};{colour.b}m"
        return ""

    def _cell(self, cell: int, name: str, room: Any) -> None:
        _check(self._library.cell_get(cell, NUMBERS[f"CELL_DATA_{name}"], ctypes.byref(room)), f"a cell's {name}")


def _check(result: int, what: str) -> None:
    if result:
        raise RuntimeError(f"the emulator refused {what}: {result}")


def _filled(write: Callable[[Any, int, Any], int]) -> bytes | None:
    """Return what the library writes into a buffer that is as large as it wants; None when it will not."""
    length = ctypes.c_size_t()
    if write(None, 0, length) not in (0, NUMBERS["OUT_OF_SPACE"]):
        return None
    room = ctypes.create_string_buffer(max(length.value, 1))
    if write(room, len(room), length):
        return None
    return room.raw[: length.value]
