"""Understand the `daemon.toml` of the programs that Descartes comes from.

Each of its keys is read as one of ours, or says nothing here, or is refused by name with what to use instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from descartes_local.config_files import Layer
from descartes_local.config_places import ORIGINALS

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LEVELS = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
}
_FORMATS = {"json": "json", "text": "text", "pretty": "text", "compact": "text", "plain": "text", "full": "text"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a key of the original means here."""

    #: What it does, or why it is refused and what to use instead.
    text: str
    #: Our key; none where it only may stand, or is refused.
    ours: str | None = None
    #: Values that may stand; for a key of ours: to which of ours each is turned (None: any, as it is).
    values: Mapping[Any, Any] | None = None
    #: Whether it is refused whatever its value.
    is_refused: bool = False


_LISTENS = Meaning("daemons listen on 127.0.0.1 only; from elsewhere use ssh -L", values=dict.fromkeys(_LOOPBACK))
_NO_SECRET = Meaning("one token opens every door, and it is made for you: ~/.descartes/token", is_refused=True)
_NO_POOL = Meaning("there is no pool: each session has one store of its own")

ORIGINAL: Mapping[str, Meaning] = MappingProxyType(
    {
        "server.http_addr": _LISTENS,
        "server.ws_addr": _LISTENS,
        "server.request_timeout_secs": Meaning("", "server.request_timeout"),
        "auth.enabled": Meaning("the token is always asked for; it cannot be switched off", values={True: None}),
        "auth.jwt_secret": _NO_SECRET,
        "auth.api_key": _NO_SECRET,
        "auth.token_expiry_secs": Meaning(
            "the token does not expire: remove ~/.descartes/token, and the next daemon makes another", is_refused=True
        ),
        "pool.min_size": _NO_POOL,
        "pool.max_size": _NO_POOL,
        "pool.connection_timeout_secs": _NO_POOL,
        "pool.idle_timeout_secs": _NO_POOL,
        "logging.level": Meaning("", "log.level", _LEVELS),
        "logging.format": Meaning("", "log.format", _FORMATS),
        "logging.file": Meaning("the log is daemon.log in the session's own directory", is_refused=True),
        "logging.stdout": Meaning("a daemon that runs alone writes to standard error, all others to daemon.log"),
        "host": _LISTENS,
        "port": Meaning("", "server.http_port"),
        "data_directory": Meaning("set the variable DESCARTES_HOME", is_refused=True),
    }
)


def translated(layer: Layer) -> tuple[Layer, list[str]]:
    """Return what the file says in our words, and a complaint for each key that cannot be said in them."""
    tables = {name: dict(value) if isinstance(value, dict) else value for name, value in layer.tables.items()}
    wrong: list[str] = []
    notes: list[str] = []
    said_as: dict[str, str] = {}
    for key, meaning in ORIGINAL.items():
        section, _, name = key.rpartition(".")
        table = tables.get(section) if section else tables
        if not isinstance(table, dict) or name not in table or (not section and isinstance(table[name], dict)):
            continue
        value = table.pop(name)
        if section and not table:
            del tables[section]
        found = _taken(meaning, value)
        if found is None:
            wrong.append(f"{layer.place(key)}: {key}: {_why_not(meaning, value)}")
        elif meaning.ours is None:
            notes.append(f"{layer.place(key)}: {key} says nothing here: {meaning.text}")
        else:
            said_as[meaning.ours] = key
            ours, _, ours_name = meaning.ours.partition(".")
            tables.setdefault(ours, {}).setdefault(ours_name, found[0])
    return replace(layer, tables=tables, said_as=said_as, notes=tuple(notes)), wrong


def _taken(meaning: Meaning, value: Any) -> tuple[Any] | None:
    """Return our value in a tuple, None where this one is refused."""
    if meaning.is_refused:
        return None
    if meaning.values is None:
        return (value,)
    known = isinstance(value, str | bool) and value in meaning.values
    return (meaning.values[value],) if known else None


def _why_not(meaning: Meaning, value: Any) -> str:
    if meaning.ours is not None:
        return f"{value!r:.100} is none of {', '.join(map(str, meaning.values or ()))}"
    return f"refused here: {meaning.text}"


def hint(key: str) -> str:
    """Return what to use instead of a key of the original that stands in a file of ours; nothing for other keys."""
    meaning = ORIGINAL.get(key)
    if meaning is None:
        is_section = any(known.startswith(f"{key}.") for known in ORIGINAL)
        return f"; a file called {ORIGINALS} may have it, and is read too" if is_section else ""
    return f"; here it is {meaning.ours}" if meaning.ours else f"; {meaning.text}"
