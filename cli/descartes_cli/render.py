"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import os
import shlex
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

#: ANSI colours by status; what is not listed is plain.
_COLOURS = {
    "running": "32",
    "Active": "32",
    "Connected": "32",
    "initializing": "33",
    "paused": "33",
    "stopping": "33",
    "lost": "33",
    "Starting": "33",
    "Stopping": "33",
    "Reconnecting": "33",
    "in-progress": "33",
    "review": "33",
    "failed": "31",
    "blocked": "31",
    "done": "2",
    "cancelled": "2",
    "Failed": "31",
    "Error": "31",
    "completed": "2",
    "terminated": "2",
    "Inactive": "2",
    "Archived": "2",
    "Disconnected": "2",
}
_STEPS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def say(line: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{line}\n")


def say_wrong(message: str) -> None:
    """Write an error to stderr: one line; what a log said comes indented below it."""
    first, *more = message.rstrip("\n").split("\n")
    sys.stdout.flush()
    sys.stderr.write(f"descartes: {printable(first)}\n")
    sys.stderr.writelines(f"  {printable(line)}\n" for line in more)


def print_json(value: Any) -> None:
    """Print one JSON value."""
    say(json.dumps(value, indent=2))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, coloured: int | None = None) -> None:
    """Print aligned columns; on a terminal the last one is cut at its edge.

    Args:
        heads: The titles.
        rows: The cells, printable already.
        coloured: The column that holds a status.

    """
    *columns, last = zip(heads, *rows, strict=True)
    widths = [_widest(column) for column in columns]
    padded = [_padded(column, wide) for column, wide in zip(columns, widths, strict=True)]
    room = _terminal_width()
    if room is not None:
        left = max(room - sum(widths) - 2 * len(widths), 8)
        last = tuple(cut(cell, left) for cell in last)
        if coloured is not None and not os.environ.get("NO_COLOR"):
            head, *cells = padded[coloured]
            padded[coloured] = [head, *map(_colour, cells)]
    sys.stdout.writelines(f"{'  '.join(cells).rstrip()}\n" for cells in zip(*padded, last, strict=True))


def _widest(column: Sequence[str]) -> int:
    return max(map(len if "".join(column).isascii() else width, column))


def _padded(column: Sequence[str], columns: int) -> list[str]:
    if "".join(column).isascii():  # a history has thousands of lines
        return [cell.ljust(columns) for cell in column]
    return [pad(cell, columns) for cell in column]


def _colour(cell: str) -> str:
    code = _COLOURS.get(cell.partition(" ")[0])
    return f"\x1b[{code}m{cell}\x1b[0m" if code else cell


def printable(text: str) -> str:
    """Return text that a terminal only shows: control characters and what cannot be encoded are escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    # Cf: direction marks, which could turn a line around.
    if character == "\u200d" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    return character.encode("unicode_escape").decode()


def command_line(command: Sequence[str]) -> str:
    """Return a command as one would type it."""
    return printable(shlex.join(command))


def width(text: str) -> int:
    """Return how many columns a terminal needs for it."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or character == "\u200d" or unicodedata.category(character) == "Mn":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def pad(text: str, columns: int) -> str:
    """Fill up with spaces."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """Shorten to a number of columns, with an ellipsis where something is missing."""
    if width(text) <= columns:
        return text
    kept, used = [], 1
    for character in text:
        used += _columns(character)
        if used > columns:
            break
        kept.append(character)
    return "".join(kept) + "…"


def amount(count: float) -> str:
    """Return a number of bytes in its largest unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def ago(seconds: float) -> str:
    """Return an age in its largest unit."""
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return "now"


def _terminal_width() -> int | None:
    """Return the width of the terminal that is written to, None when it is something else."""
    if not sys.stdout.isatty():
        return None
    try:
        columns = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        columns = 0
    return columns if columns > 0 else os.get_terminal_size(sys.stdout.fileno()).columns or 80


def is_unknown(agent: Mapping[str, Any]) -> bool:
    """Say whether nobody knows how an agent ended whose program has run."""
    told = (agent["exit_code"], agent["signal"], agent.get("ended_by"))
    return bool(agent["started_at"] and agent["ended_at"]) and told == (None, None, None)
