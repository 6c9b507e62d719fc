"""The SQL of the store, read from its files once."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

_HERE = Path(__file__).parent
_HEADER = re.compile(r"^-- (\w+) --.*\n", re.MULTILINE)


def _named(text: str) -> dict[str, str]:
    _, *parts = _HEADER.split(text)
    return {name: sql.strip().removesuffix(";") for name, sql in zip(parts[::2], parts[1::2], strict=True)}


_FILES = {file.name: file.read_text(encoding="utf-8") for file in sorted(_HERE.glob("*.sql"))}

#: Migrations in order: 001_….sql is the first, and its number is the schema it leads to.
MIGRATIONS: tuple[tuple[int, str], ...] = tuple(
    (int(name[:3]), script) for name, script in _FILES.items() if name[:3].isdigit()
)

#: Every query by its name, whichever file it stands in.
QUERIES: Mapping[str, str] = MappingProxyType(
    {name: sql for file, text in _FILES.items() if not file[:3].isdigit() for name, sql in _named(text).items()}
)


def statements(script: str) -> Iterator[str]:
    """Yield a script's statements one by one: `executescript` would commit between them."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
