"""The part of libghostty-vt that we use, as declared for ctypes.

The library comes with the package pyghostty, whose own layer parses the whole C header at each import: 0.2 s and 9 MB,
and 5 ms more for each type that is used first. So only its file is used. What is declared here is held against what the
library itself tells of its types when it is loaded, and against pyghostty's header in the tests.
"""

from __future__ import annotations

import ctypes
import json
from ctypes import POINTER, c_bool, c_char_p, c_int, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_NAMES = ("libghostty-vt.so", "libghostty-vt.dylib")


class GridRef(ctypes.Structure):
    """A place on the screen; good until the terminal changes."""

    _fields_ = (("size", c_size_t), ("node", c_void_p), ("x", c_uint16), ("y", c_uint16))


class Coordinate(ctypes.Structure):
    """Column and row; the union it stands for is as large."""

    _fields_ = (("x", c_uint16), ("y", c_uint32), ("_rest", c_uint64))


class Point(ctypes.Structure):
    """A coordinate of the active screen (tag 0)."""

    _fields_ = (("tag", c_int), ("value", Coordinate))


class Selection(ctypes.Structure):
    """From one place to another."""

    _fields_ = (("size", c_size_t), ("start", GridRef), ("end", GridRef), ("rectangle", c_bool))


class ScreenExtra(ctypes.Structure):
    """What else is told of a screen."""

    _fields_ = (
        ("size", c_size_t),
        ("cursor", c_bool),
        ("style", c_bool),
        ("hyperlink", c_bool),
        ("protection", c_bool),
        ("kitty_keyboard", c_bool),
        ("charsets", c_bool),
    )


class TerminalExtra(ctypes.Structure):
    """What else is told of a terminal."""

    _fields_ = (
        ("size", c_size_t),
        ("palette", c_bool),
        ("modes", c_bool),
        ("scrolling_region", c_bool),
        ("tabstops", c_bool),
        ("pwd", c_bool),
        ("keyboard", c_bool),
        ("screen", ScreenExtra),
    )


class FormatterOptions(ctypes.Structure):
    """How a terminal is written down: as text (0) or as sequences (1)."""

    _fields_ = (
        ("size", c_size_t),
        ("emit", c_int),
        ("unwrap", c_bool),
        ("trim", c_bool),
        ("extra", TerminalExtra),
        ("selection", POINTER(Selection)),
    )


class Text(ctypes.Structure):
    """Borrowed bytes."""

    _fields_ = (("ptr", POINTER(c_uint8)), ("len", c_size_t))


class ModeConfig(ctypes.Structure):
    """Whether a mode is on; ANSI's own have the highest bit set."""

    _fields_ = (("mode", c_uint16), ("value", c_bool))


class Rgb(ctypes.Structure):
    """A colour."""

    _fields_ = (("r", c_uint8), ("g", c_uint8), ("b", c_uint8))


#: By the names that the library tells of them.
STRUCTURES: dict[str, type[ctypes.Structure]] = {
    "GhosttyGridRef": GridRef,
    "GhosttyPoint": Point,
    "GhosttySelection": Selection,
    "GhosttyFormatterScreenExtra": ScreenExtra,
    "GhosttyFormatterTerminalExtra": TerminalExtra,
    "GhosttyFormatterTerminalOptions": FormatterOptions,
    "GhosttyString": Text,
    "GhosttyTerminalModeConfig": ModeConfig,
    "GhosttyColorRgb": Rgb,
}

#: The numbers of the header that are used here, by their names there without `GHOSTTY_`.
NUMBERS = {
    "OUT_OF_SPACE": -3,
    "TERMINAL_OPT_KITTY_IMAGE_STORAGE_LIMIT": 15,
    "TERMINAL_OPT_APC_MAX_BYTES": 19,
    "TERMINAL_OPT_APC_MAX_BYTES_KITTY": 20,
    "TERMINAL_OPT_SCROLLBACK_MAX_LINES": 28,
    "TERMINAL_OPT_CONTINUATION_MAX_BYTES": 31,
    "TERMINAL_OPT_CLIPBOARD_WRITE_MAX_BYTES": 39,
    "TERMINAL_DATA_COLS": 1,
    "TERMINAL_DATA_ROWS": 2,
    "TERMINAL_DATA_CURSOR_X": 3,
    "TERMINAL_DATA_CURSOR_Y": 4,
    "TERMINAL_DATA_ACTIVE_SCREEN": 6,
    "TERMINAL_DATA_CURSOR_VISIBLE": 7,
    "TERMINAL_DATA_TITLE": 12,
    "TERMINAL_DATA_MODE": 37,
    "TERMINAL_SCREEN_ALTERNATE": 1,
    "POINT_TAG_ACTIVE": 0,
    "FORMATTER_FORMAT_PLAIN": 0,
    "FORMATTER_FORMAT_VT": 1,
    "CELL_DATA_CONTENT_TAG": 2,
    "CELL_DATA_COLOR_PALETTE": 10,
    "CELL_DATA_COLOR_RGB": 11,
    "CELL_CONTENT_BG_COLOR_PALETTE": 2,
    "CELL_CONTENT_BG_COLOR_RGB": 3,
}

_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "terminal_new": (c_int, c_void_p, POINTER(c_void_p), c_uint16, c_uint16),
    "terminal_free": (None, c_void_p),
    "terminal_set": (c_int, c_void_p, c_int, c_void_p),
    "terminal_get": (c_int, c_void_p, c_int, c_void_p),
    "terminal_resize": (c_int, c_void_p, c_uint16, c_uint16, c_uint32, c_uint32),
    "terminal_vt_write": (None, c_void_p, c_char_p, c_size_t),
    "terminal_continuation_buf": (c_int, c_void_p, c_void_p, c_size_t, POINTER(c_size_t)),
    "terminal_grid_ref": (c_int, c_void_p, Point, POINTER(GridRef)),
    "grid_ref_cell": (c_int, POINTER(GridRef), POINTER(c_uint64)),
    "cell_get": (c_int, c_uint64, c_int, c_void_p),
    "formatter_terminal_new": (c_int, c_void_p, POINTER(c_void_p), c_void_p, FormatterOptions),
    "formatter_format_buf": (c_int, c_void_p, c_void_p, c_size_t, POINTER(c_size_t)),
    "formatter_free": (None, c_void_p),
    "snapshot_encode_buf": (c_int, c_void_p, c_void_p, c_size_t, POINTER(c_size_t)),
    "snapshot_decoder_new_buf": (c_int, c_void_p, POINTER(c_void_p), c_char_p, c_size_t),
    "snapshot_decoder_decode": (c_int, c_void_p, POINTER(c_void_p)),
    "snapshot_decoder_free": (None, c_void_p),
    "type_json": (c_char_p,),
}


class Library:
    """The functions, by their names without `ghostty_`; other threads go on while one works."""

    def __init__(self, path: Path) -> None:
        """Load it.

        Raises:
            OSError: it cannot be loaded, or is another one than is declared here.

        """
        self._loaded = ctypes.CDLL(str(path))
        for name, (result, *arguments) in _FUNCTIONS.items():
            try:
                function = getattr(self._loaded, f"ghostty_{name}")
            except AttributeError as error:
                raise OSError(f"{path} has no ghostty_{name}") from error
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)
        if not is_as_declared(self.type_json()):
            raise OSError(f"{path}: its types are not those that are declared here")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)  # all there are were set above


def layout(structure: type[ctypes.Structure]) -> tuple[int, dict[str, int]]:
    """Return the size of a structure and the offsets of its fields."""
    names = [field[0] for field in structure._fields_]
    return ctypes.sizeof(structure), {name: getattr(structure, name).offset for name in names}


def is_as_declared(told: bytes | None) -> bool:
    """Say whether a library that tells this of its types has all of ours, each as it is here."""
    try:
        types = json.loads(told or b"")["types"]
        enums = [one for one in types.values() if one["kind"] == "enum"]
        numbers = {one["prefix"] + name: number for one in enums for name, number in one["values"].items()}
        is_laid_out = all(layout(declared) == _told(types[name]) for name, declared in STRUCTURES.items())
        return is_laid_out and all(numbers[f"GHOSTTY_{name}"] == number for name, number in NUMBERS.items())
    except (ValueError, LookupError, TypeError, AttributeError):
        return False


def _told(described: dict[str, Any]) -> tuple[int, dict[str, int]]:
    return described["size"], {name: field["offset"] for name, field in described["fields"].items()}


def find_library() -> Path | None:
    """Return where pyghostty has its library, without importing it; None where it is not installed."""
    spec = find_spec("pyghostty")
    for directory in (spec.submodule_search_locations if spec is not None else None) or ():
        for name in _NAMES:
            if (path := Path(directory) / "_lib" / name).exists():
                return path
    return None
