"""Which session is active, and the workspaces once used."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from descartes_core.ids import is_id
from descartes_local.home import Home
from descartes_local.json_file import read_json, write_json


@dataclass(frozen=True, slots=True)
class Registry:
    """What sessions.json tells."""

    active_session_id: str | None = None
    #: session id → resolved path of its workspace
    known: Mapping[str, str] = field(default_factory=dict)
    #: Keys of others, kept.
    more: Mapping[str, Any] = field(default_factory=dict)
    #: What a person should know of the file itself, else empty.
    note: str = ""

    def id_at(self, path: str) -> str | None:
        """Return the id under which a workspace is known."""
        return next((identity for identity, known in self.known.items() if known == path), None)

    def with_known(self, session_id: str, path: str) -> Registry:
        """Know a workspace by this id and no other."""
        others = {identity: known for identity, known in self.known.items() if known != path}
        return replace(self, known={**others, session_id: path})

    def as_json(self) -> dict[str, Any]:
        """Return the object, other keys after ours."""
        return {"active_session_id": self.active_session_id, "known": dict(self.known), **self.more}


def read(home: Home) -> Registry:
    """Return what the file tells; an unreadable one is left where it is, counts as empty, and is noted."""
    path = home.sessions_file
    try:
        value = read_json(path)
    except FileNotFoundError:
        return Registry()
    except (OSError, ValueError) as error:
        return Registry(note=f"{path} cannot be read ({error}): workspaces once used are not known")
    if not isinstance(value, dict):
        return Registry(note=f"{path} holds no object: workspaces once used are not known")
    active, known = value.get("active_session_id"), value.get("known")
    return Registry(
        active_session_id=active if isinstance(active, str) and is_id(active) else None,
        known=_paths(known) if isinstance(known, dict) else {},
        more={key: kept for key, kept in value.items() if key not in ("active_session_id", "known")},
    )


def _paths(known: dict[str, Any]) -> dict[str, str]:
    return {key: path for key, path in known.items() if is_id(key) and isinstance(path, str) and path.startswith("/")}


def remember(home: Home, session_id: str, path: str) -> str:
    """Know a workspace by its resolved path; return what a person should know, else nothing.

    Raises:
        OSError: the file cannot be written.

    """
    present = read(home)
    if not present.note and present.known.get(session_id) == path:
        return ""  # the usual case costs no write
    with updating(home) as change:
        change.registry = change.registry.with_known(session_id, path)
    return change.note


def set_active(home: Home, session_id: str | None) -> str:
    """Make a session the active one."""
    with updating(home) as change:
        change.registry = replace(change.registry, active_session_id=session_id)
    return change.note


def forget(home: Home, session_id: str) -> str:
    """Know a session no more."""
    with updating(home) as change:
        present = change.registry
        known = {identity: path for identity, path in present.known.items() if identity != session_id}
        active = None if present.active_session_id == session_id else present.active_session_id
        change.registry = replace(present, known=known, active_session_id=active)
    return change.note


@dataclass(slots=True)
class Change:
    """A change of the registry: replace `registry` within the block."""

    registry: Registry
    note: str = ""


@contextlib.contextmanager
def updating(home: Home) -> Iterator[Change]:
    """Read, let the block change, write: nobody else does so meanwhile; what could not be read is set aside.

    Raises:
        Unavailable: the home cannot be made.
        OSError: the file cannot be written.

    """
    home.make()
    # The directory of all sessions' data is always there, is never replaced, and nobody else locks it.
    descriptor = os.open(home.path / "sessions", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: the rename alone keeps the file whole
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        change = Change(read(home))
        if change.registry.note:
            aside = home.sessions_file.with_name(f"sessions.json.torn-{time.time_ns()}")
            home.sessions_file.rename(aside)
            change.note = f"{home.sessions_file} could not be read and is now {aside.name}"
            change.registry = Registry()
        before = change.registry
        yield change
        if change.registry != before or change.note:
            write_json(home.sessions_file, change.registry.as_json())
    finally:
        os.close(descriptor)
