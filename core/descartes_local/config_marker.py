"""Say whether a config.toml is a Descartes one."""

from __future__ import annotations

import os
import tomllib

from descartes_local.regular_file import read_regular

#: The tables of our model; `config.Settings` has exactly these (a test holds them together).
#: They stand here because that model costs 0.1 s of imports, which finding a workspace must not.
SECTIONS = frozenset(
    {
        *("server", "discovery", "agents", "output", "retention", "terminals", "redaction", "search", "semantic"),
        *("supervisor", "hub", "hooks", "log", "tasks"),
    }
)


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Say whether all of a TOML file's top level are tables that are sections of our model, and at least one.

    Raises:
        OSError: it cannot be read.

    """
    try:
        tables = tomllib.loads(read_regular(path).decode())
    except (ValueError, RecursionError):
        return False
    return bool(tables) and all(name in SECTIONS and isinstance(table, dict) for name, table in tables.items())
