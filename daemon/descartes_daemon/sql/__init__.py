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


#: Every query by its name.
QUERIES: Mapping[str, str] = MappingProxyType(_named((_HERE / "queries.sql").read_text(encoding="utf-8")))

#: Migrations in order: 001_….sql is the first, and its number is the schema it leads to.
MIGRATIONS: tuple[tuple[int, str], ...] = tuple(
    (int(file.name[:3]), file.read_text(encoding="utf-8")) for file in sorted(_HERE.glob("[0-9][0-9][0-9]_*.sql"))
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
