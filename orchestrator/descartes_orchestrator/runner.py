"""Lend this machine to the daemons of a hub: a session made once from a token."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from descartes_core.errors import (
    Ambiguous,
    ConfigInvalid,
    Conflict,
    DescartesError,
    InvalidParams,
    NotFound,
    Unavailable,
)
from descartes_core.ids import fitting_name
from descartes_local.bus_file import BusFile, bus_file_of, keys_in, read_bus_file, write_bus_file
from descartes_local.home import Home, make_private
from descartes_local.rpc_client import call
from descartes_orchestrator import sessions
from descartes_orchestrator.identity import Session, session_of

#: The most agents of a runner where nobody says; never more than its `agents.max_agents`.
_CAPACITY = 100
#: What a configuration may say, and of what kind.
_CONFIGURED = {"token": str, "name": str, "capacity": int}
#: Bytes; file systems take 255.
_LONGEST_DIRECTORY = 200


class Wish(NamedTuple):
    """What somebody asks of a runner."""

    token: str | None = None
    name: str | None = None
    #: The most agents; None: as before, first 100; 0: as many as `agents.max_agents`.
    capacity: int | None = None


class Runner(NamedTuple):
    """A session that runs programs for others, and what it knows of its bus."""

    session: Session
    bus: BusFile


def runners(home: Home) -> list[Runner]:
    """Return every runner of this home, by name."""
    found = []
    directory = _directory(home)
    for name in sorted(os.listdir(directory)) if directory.is_dir() else ():
        with contextlib.suppress(DescartesError, OSError):
            session = session_of(home, directory / name)
            bus = read_bus_file(bus_file_of(home, session.id))
            if session.has_file and bus is not None:
                found.append(Runner(session, bus))
    return found


def configured(path: Path) -> Wish:
    """Return what a configuration file asks for.

    Raises:
        ConfigInvalid: it cannot be read, or says something else.

    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8")).get("runner")
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"{path} cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise ConfigInvalid(f"{path} has no table [runner]: token, name, capacity")
    for key, value in told.items():
        if key not in _CONFIGURED:
            raise ConfigInvalid(f"{path}: runner.{key} is unknown: there are {', '.join(_CONFIGURED)}")
        if type(value) is not _CONFIGURED[key]:
            raise ConfigInvalid(f"{path}: runner.{key} must be of type {_CONFIGURED[key].__name__}")
    return Wish(**told)


def have(home: Home, wish: Wish) -> Runner:
    """Return the runner that is meant: the one of this token, made with it if need be; else the one there is.

    It may be repeated with the same token: the key is written down before the hub is asked.

    Raises:
        NotFound, Ambiguous: there is no runner yet, or more than one.
        Conflict: the token is for something else, or the name is taken here.
        DescartesError: the hub does not let us in.
        OSError: it cannot be written.

    """
    if wish.token is None:
        return _with(home, _only(home, wish.name), wish)
    key_file = f"runner-{hashlib.sha256(wish.token.strip().encode()).hexdigest()[:16]}.key"
    for one in runners(home):
        if one.bus.keys == key_file:
            return _with(home, one, wish)
    return _enrolled(home, wish, wish.token, key_file)


def start(home: Home, runner: Runner) -> dict[str, Any]:
    """Start it, connect it with its hub, and return what `sessions.start` does.

    Raises:
        DescartesError: it does not begin.

    """
    started = sessions.start(home, runner.session)
    call(started["socket"], "bus.connect", {}, timeout=30.0)
    return started


def _enrolled(home: Home, wish: Wish, token: str, key_file: str) -> Runner:
    # Only now: who starts a runner that is there pays for neither messages nor sockets.
    from descartes_core.bus.invitation import read_token
    from descartes_orchestrator.hub.joining import enroll, keys_of
    from descartes_orchestrator.hub.settings import host_name

    read_token(token)  # before anything is written for it
    home.make()
    keys = keys_of(keys_in(home, key_file))
    invitation, answer = enroll(token, keys, name=wish.name or host_name(), role="runner")
    bus = BusFile("runner", invitation.endpoint, invitation.hub_key, answer.name, key_file, answer.labels)
    place = _directory(home) / directory_name(answer.name)
    session = _session_at(home, place, bus)
    make_private(home.session(session.id))
    before = read_bus_file(bus_file_of(home, session.id))
    if before is not None:
        bus = replace(bus, capacity=before.capacity)
    return _with(home, Runner(session, bus), wish, is_new=True)


def _session_at(home: Home, place: Path, bus: BusFile) -> Session:
    """Return the session of a runner of this name, made if need be; one of the same hub goes on with a new key."""
    if not (place / ".scud").is_dir():
        make_private(place.parent)
        return sessions.create(home, place, fitting_name(bus.name))
    session = session_of(home, place)
    before = read_bus_file(bus_file_of(home, session.id))
    if before is not None and before.hub_key != bus.hub_key:
        raise Conflict(f"this machine is the runner {bus.name} of another hub already: {place}; choose another --name")
    return session


def _with(home: Home, runner: Runner, wish: Wish, *, is_new: bool = False) -> Runner:
    """Write down what is wished besides."""
    told = runner.bus
    capacity = (_CAPACITY if is_new else told.capacity) if wish.capacity is None else wish.capacity
    if capacity < 0:
        raise InvalidParams("a runner takes no negative number of agents")
    bus = replace(told, capacity=capacity)
    if is_new or bus != told:
        try:
            write_bus_file(bus_file_of(home, runner.session.id), bus)
        except OSError as error:
            raise Unavailable(f"{error.filename} cannot be written: {error.strerror}") from error
    return Runner(runner.session, bus)


def _only(home: Home, name: str | None) -> Runner:
    known = [one for one in runners(home) if name in (None, one.bus.name)]
    if not known:
        raise NotFound(
            f"this machine is no runner{f' called {name!r}' if name else ''} yet: descartes runner TOKEN, with a token "
            "printed there by `descartes hub enroll --role runner`"
        )
    if len(known) > 1:
        names = ", ".join(one.bus.name for one in known)
        raise Ambiguous(f"this machine is more than one runner ({names}): say which with --name")
    return known[0]


def _directory(home: Home) -> Path:
    return home.path / "runners"


def directory_name(name: str) -> str:
    """Return what the directory of a runner is called: its name, where that leads nowhere else and is short enough."""
    fitting = fitting_name(name)
    if fitting.startswith(".") or len(os.fsencode(fitting)) > _LONGEST_DIRECTORY:
        return f"runner-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:16]}"
    return fitting
