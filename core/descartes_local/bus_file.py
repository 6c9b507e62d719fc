"""Which bus a home or session belongs to, and by which key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from descartes_core.errors import Unavailable
from descartes_local.home import Home
from descartes_local.json_file import read_json, write_json

#: A CURVE key in Z85.
_KEY_LENGTH = 40


class Keys(NamedTuple):
    """A CURVE key pair, in Z85."""

    public: str
    secret: str


@dataclass(frozen=True, slots=True)
class BusFile:
    """What one `bus.json` tells."""

    #: daemon: of a home, for all its sessions; runner: of the one session beside which it lies.
    role: str
    #: The hub's endpoint, and its public key.
    hub: str
    hub_key: str
    #: As which the hub knows our key.
    name: str
    #: The file of our key, in the home's `keys`.
    keys: str
    labels: tuple[str, ...] = ()
    #: The most agents a runner takes; 0: as many as its daemon does.
    capacity: int = 0


def bus_file_of(home: Home, session_id: str | None = None) -> Path:
    """Return where the file of a home lies, or of a session that is a runner."""
    return (home.path if session_id is None else home.session(session_id)) / "bus.json"


def find_bus_file(home: Home, session_id: str) -> BusFile | None:
    """Return what counts for a session: its own file, else its home's; None where it belongs to no bus.

    Raises:
        Unavailable: a file is there, and cannot be read.

    """
    return read_bus_file(bus_file_of(home, session_id)) or read_bus_file(bus_file_of(home))


def read_bus_file(path: Path) -> BusFile | None:
    """Return what a file tells, None where there is none.

    Raises:
        Unavailable: it cannot be read, or tells something else.

    """
    found = _read(path)
    if found is None:
        return None
    try:
        texts = {key: str(found[key]) for key in ("role", "hub", "hub_key", "name", "keys")}
        labels = tuple(map(str, found.get("labels", ())))
        return BusFile(**texts, labels=labels, capacity=int(found.get("capacity", 0)))
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"{path} does not tell of a bus: {error!r}") from error


def write_bus_file(path: Path, told: BusFile) -> None:
    """Write one, durably, for nobody else to read.

    Raises:
        OSError: it cannot be written; what was there stays.

    """
    write_json(
        path,
        {
            "role": told.role,
            "hub": told.hub,
            "hub_key": told.hub_key,
            "name": told.name,
            "keys": told.keys,
            "labels": list(told.labels),
            "capacity": told.capacity,
        },
    )


def keys_in(home: Home, name: str) -> Path:
    """Return where a key lies."""
    return home.path / "keys" / name


def read_keys(path: Path) -> Keys | None:
    """Return the key pair of a file, None where there is none.

    Raises:
        Unavailable: it cannot be read, or holds something else.

    """
    found = _read(path)
    if found is None:
        return None
    keys = Keys(str(found.get("public_key", "")), str(found.get("secret_key", "")))
    if any(len(key) != _KEY_LENGTH for key in keys):
        raise Unavailable(f"{path} holds no key pair")
    return keys


def write_keys(path: Path, keys: Keys) -> None:
    """Write a key pair, durably, for nobody else to read.

    Raises:
        OSError: it cannot be written.

    """
    write_json(path, {"public_key": keys.public, "secret_key": keys.secret})


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Unavailable(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise Unavailable(f"{path} is no JSON object")
    return found
