"""All that a supervisor knows as plain data, for the one that takes its place.

Descriptors are numbers: whoever reads this has the same ones open. What a newer supervisor wrote besides is left out,
what an older one did not write has its default; whoever cannot make sense of the rest says so and changes nothing.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

#: Another number says that what is written means something else.
FORMAT = 1
#: A thousand sessions with a thousand descriptors each.
_LONGEST = 256 * 1024 * 1024

Plain = dict[str, Any]
Saved = TypeVar("Saved", "SavedKept", "SavedSession", "SavedPeer", "SavedCall", "SavedForkServer", "SavedState")


@dataclass(frozen=True, slots=True)
class SavedKept:
    """One descriptor in keeping."""

    name: str
    descriptor: int
    #: (pid, start time) where it is a pidfd.
    leader: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class SavedSession:
    """One session, its daemon and all that is held for it."""

    wanted: Plain
    state: str
    restarts: int = 0
    #: Its code and its message.
    failure: tuple[str, str] | None = None
    was_ready: bool = False
    lets_go: bool = False
    is_stuck: bool = False
    early_deaths: int = 0
    #: By the clock that goes on from one program to the next in the same process.
    deaths: tuple[float, ...] = ()
    daemon: Plain | None = None
    #: http, ws, rpc; rpc alone of what has no ports.
    doors: tuple[int, ...] | None = None
    ear: int | None = None
    kept: tuple[SavedKept, ...] = ()
    #: Why something was not kept, for the daemon that has not asked yet.
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class SavedPeer:
    """One connection."""

    descriptor: int
    #: What it has not said to the end, and what it has not read yet.
    received: str = ""
    unsent: str = ""
    is_leaving: bool = False
    has_spoken: bool = False
    #: Whatever else is known of it.
    more: Plain = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SavedCall:
    """A call that is not answered yet."""

    descriptor: int
    identity: str | int | float | None
    method: str
    params: Plain = field(default_factory=dict)
    is_notification: bool = False


@dataclass(frozen=True, slots=True)
class SavedForkServer:
    """The fork server whose code has shown that it works."""

    pid: int
    pidfd: int
    channel: int
    #: The state of its code.
    stamp: str


@dataclass(frozen=True, slots=True)
class SavedState:
    """A supervisor."""

    #: Of the code that wrote this.
    version: str
    stamp: str
    started_at: str
    listener: int
    #: The lock that tells the living supervisor.
    life: int | None = None
    #: How many took each other's place in this process.
    renewals: int = 0
    sessions: tuple[SavedSession, ...] = ()
    peers: tuple[SavedPeer, ...] = ()
    #: To be taken by the next one, as if they had just come.
    calls: tuple[SavedCall, ...] = ()
    #: Those who asked for the next one.
    askers: tuple[SavedCall, ...] = ()
    #: pid, start time, session.
    orphans: tuple[tuple[int, int, str], ...] = ()
    fork_server: SavedForkServer | None = None
    is_asked_to_end: bool = False

    def descriptors(self) -> set[int]:
        """Return all that the next one must have open."""
        found = {self.listener, self.life, *(peer.descriptor for peer in self.peers)}
        if self.fork_server is not None:
            found |= {self.fork_server.pidfd, self.fork_server.channel}
        for session in self.sessions:
            found |= {session.ear, *(session.doors or ()), *(kept.descriptor for kept in session.kept)}
        return {descriptor for descriptor in found if descriptor is not None}


def encode(state: SavedState) -> bytes:
    """Return it as bytes."""
    return json.dumps({"format": FORMAT, **asdict(state)}).encode()


def decode(data: bytes) -> SavedState:
    """Return what was encoded.

    Raises:
        ValueError: this is nothing that we understand.

    """
    try:
        told = json.loads(data)
        if told["format"] != FORMAT:
            raise ValueError(f"it is of format {told['format']}, and {FORMAT} is known here")
        return _state(told)
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"the saved state is none: {error!r}") from error


def write(state: SavedState) -> int:
    """Return a descriptor of memory that holds the state and cannot be changed any more.

    Raises:
        OSError: there is no memory, or the system has none that can be handed on.

    """
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "this system has no memory that can be handed on")
    descriptor = os.memfd_create("descartes-supervisor", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        data = memoryview(encode(state))
        while data:
            data = data[os.write(descriptor, data) :]
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def read(descriptor: int) -> SavedState:
    """Return the state that a descriptor holds; it stays open.

    Raises:
        ValueError: this is nothing that we understand.
        OSError: it cannot be read.

    """
    pieces, offset = [], 0
    while offset < _LONGEST and (piece := os.pread(descriptor, 1024 * 1024, offset)):
        pieces.append(piece)
        offset += len(piece)
    return decode(b"".join(pieces))


def known(kind: Any, told: Plain) -> Plain:
    """Return those fields of a dataclass that it has."""
    names = {entry.name for entry in fields(kind)}
    return {name: value for name, value in told.items() if name in names}


def _state(told: Plain) -> SavedState:
    fork_server = told.get("fork_server")
    return _made(
        SavedState,
        told,
        fork_server=None if fork_server is None else _made(SavedForkServer, fork_server),
        sessions=tuple(_session(each) for each in told.get("sessions", ())),
        peers=_all(SavedPeer, told.get("peers", ())),
        calls=_all(SavedCall, told.get("calls", ())),
        askers=_all(SavedCall, told.get("askers", ())),
        orphans=tuple((int(pid), int(started), str(whose)) for pid, started, whose in told.get("orphans", ())),
    )


def _session(told: Plain) -> SavedSession:
    kept = tuple(_made(SavedKept, each, leader=_tuple(each.get("leader"))) for each in told.get("kept", ()))
    more = {name: _tuple(told.get(name)) for name in ("failure", "doors")}
    return _made(SavedSession, told, kept=kept, deaths=tuple(told.get("deaths", ())), **more)


def _all(kind: type[Saved], told: Iterable[Plain]) -> tuple[Saved, ...]:
    return tuple(_made(kind, each) for each in told)


def _made(kind: type[Saved], told: Plain, **more: Any) -> Saved:
    return kind(**{**known(kind, told), **more})


def _tuple(value: Any) -> Any:
    return None if value is None else tuple(value)
