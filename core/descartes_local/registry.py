"""Which session is active, the workspaces once used, and what of them needs a person."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeGuard

from descartes_core.errors import Unavailable
from descartes_core.ids import is_id
from descartes_local.home import Home
from descartes_local.json_file import read_json, write_json

#: Of one id; who makes more copies is told of these first.
_MOST_COPIES = 100
#: The keys that are ours.
_OURS = ("active_session_id", "known", "copies", "removing")


@dataclass(frozen=True, slots=True)
class Removal:
    """A removal that was begun: a directory was, or was about to be, renamed to be removed."""

    #: Where it was.
    path: str
    #: What it was renamed to.
    trash: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Registry:
    """What sessions.json tells."""

    active_session_id: str | None = None
    #: session id → resolved path of its workspace
    known: Mapping[str, str] = field(default_factory=dict)
    #: session id → other places where a workspace with this id was seen
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: What was not finished when somebody was killed.
    removing: tuple[Removal, ...] = ()
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

    def without_known(self, session_id: str) -> Registry:
        """Know a session no more, and choose it no more."""
        known = {identity: path for identity, path in self.known.items() if identity != session_id}
        active = None if self.active_session_id == session_id else self.active_session_id
        return replace(self, known=known, active_session_id=active)

    def with_copy(self, session_id: str, path: str) -> Registry:
        """Know that a workspace bears the id of another one."""
        places = tuple(dict.fromkeys((*self.copies.get(session_id, ()), path)))[:_MOST_COPIES]
        return replace(self, copies={**self.copies, session_id: places})

    def without_copy(self, path: str) -> Registry:
        """Know a place no more as one of a copy."""
        left = {identity: tuple(place for place in places if place != path) for identity, places in self.copies.items()}
        return replace(self, copies={identity: places for identity, places in left.items() if places})

    def without_removal(self, trash: str) -> Registry:
        """Know a removal no more."""
        return replace(self, removing=tuple(one for one in self.removing if one.trash != trash))

    def as_json(self) -> dict[str, Any]:
        """Return the object, other keys after ours; what is rare only where there is any."""
        value: dict[str, Any] = {"active_session_id": self.active_session_id, "known": dict(self.known)}
        if self.copies:
            value["copies"] = {identity: list(places) for identity, places in self.copies.items()}
        if self.removing:
            value["removing"] = [asdict(one) for one in self.removing]
        return {**value, **self.more}


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
        copies=_copies(value.get("copies")),
        removing=_removals(value.get("removing")),
        more={key: kept for key, kept in value.items() if key not in _OURS},
    )


def _paths(known: dict[str, Any]) -> dict[str, str]:
    return {key: path for key, path in known.items() if is_id(key) and _is_place(path)}


def _copies(value: Any) -> dict[str, tuple[str, ...]]:
    found = value.items() if isinstance(value, dict) else ()
    kept = {key: tuple(filter(_is_place, places)) for key, places in found if is_id(key) and isinstance(places, list)}
    return {key: places[:_MOST_COPIES] for key, places in kept.items() if places}


def _removals(value: Any) -> tuple[Removal, ...]:
    found = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    told = [(one.get("path"), one.get("trash"), one.get("session_id")) for one in found]
    return tuple(
        Removal(path, trash, identity)
        for path, trash, identity in told
        if _is_place(path) and _is_place(trash) and isinstance(identity, str) and is_id(identity)
    )


def _is_place(path: Any) -> TypeGuard[str]:
    return isinstance(path, str) and path.startswith("/") and "\0" not in path


def remember(home: Home, session_id: str, path: str) -> str:
    """Know a workspace by its resolved path; return what a person should know, else nothing.

    Raises:
        Unavailable: the file cannot be written.

    """
    present = read(home)
    if not present.note and present.known.get(session_id) == path:
        return ""  # the usual case costs no write
    with updating(home) as change:
        change.registry = change.registry.with_known(session_id, path)
    return change.note


def remember_copies(home: Home, session_id: str, paths: Iterable[str]) -> None:
    """Know that workspaces bear the id of another one, so that both are told of it whichever is asked.

    Raises:
        Unavailable: the file cannot be written.

    """
    new = set(paths) - set(read(home).copies.get(session_id, ()))
    if new:
        with updating(home) as change:
            for path in sorted(new):
                change.registry = change.registry.with_copy(session_id, path)


def set_active(home: Home, session_id: str) -> str:
    """Make a session the active one."""
    with updating(home) as change:
        change.registry = replace(change.registry, active_session_id=session_id)
    return change.note


def leave(home: Home, session_id: str) -> None:
    """Let a session be the active one no more; another one that was chosen meanwhile stays."""
    if read(home).active_session_id == session_id:
        with updating(home) as change:
            if change.registry.active_session_id == session_id:
                change.registry = replace(change.registry, active_session_id=None)


def forget(home: Home, session_id: str) -> str:
    """Know a session no more."""
    with updating(home) as change:
        change.registry = change.registry.without_known(session_id)
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
        Unavailable: the home cannot be made, or the file cannot be written.
        OSError: the home cannot be looked into.

    """
    home.make()
    # The directory of all sessions' data is always there, is never replaced, and nobody else locks it.
    descriptor = os.open(home.path / "sessions", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: the rename alone keeps the file whole
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        change = Change(read(home))
        if change.registry.note:
            change.note = _set_aside(home)
            change.registry = Registry()
        before = change.registry
        yield change
        if change.registry != before or change.note:
            with _writing(home):
                write_json(home.sessions_file, change.registry.as_json())
    finally:
        os.close(descriptor)


def _set_aside(home: Home) -> str:
    aside = home.sessions_file.with_name(f"sessions.json.torn-{time.time_ns()}")
    with _writing(home):
        home.sessions_file.rename(aside)
    return f"{home.sessions_file} could not be read and is now {aside.name}"


@contextlib.contextmanager
def _writing(home: Home) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # a full disk names no file
        raise Unavailable(f"{home.sessions_file} cannot be written: {error.strerror or error}") from error
