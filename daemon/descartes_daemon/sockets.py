"""The sockets a daemon serves: handed over by who started it, or bound by itself."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path

from descartes_core import kept
from descartes_core.errors import PortsTaken, Unavailable
from descartes_daemon.keeping import Keeping
from descartes_daemon.session_upkeep import Endpoints

#: Loopback only: whoever can reach a daemon can start programs.
HOST = "127.0.0.1"

#: systemd's contract: passed descriptors begin here (sd_listen_fds(3)).
_FIRST = 3
_NAMED = (kept.HTTP, kept.WS, kept.RPC)
#: Which doors a socket of a family may be.
_DOORS: Mapping[int, tuple[str, ...]] = {socket.AF_INET: (kept.HTTP, kept.WS), socket.AF_UNIX: (kept.RPC,)}
#: What a caller's environment must not tell our children.
_CONTRACT = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def take_inherited(environment: MutableMapping[str, str]) -> dict[str, int]:
    """Return the descriptors that were handed over, by name, and forget the variables that told of them.

    Sockets that bear none of our names (systemd calls them after their unit, all alike) are told by kind and order.
    What comes a second time by one name is closed.

    Raises:
        Unavailable: what was told is not there.

    """
    told = {name: environment.pop(name, "") for name in _CONTRACT}
    names = _names(told["LISTEN_FDNAMES"], environment)
    if told["LISTEN_PID"] != str(os.getpid()) or not told["LISTEN_FDS"].isdigit():
        return {}
    found: dict[str, int] = {}
    others: list[int] = []
    for number in range(int(told["LISTEN_FDS"])):
        descriptor, name = _FIRST + number, names[number] if number < len(names) else ""
        _close_on_exec(descriptor)
        if name in found and kept.is_stored(name):
            os.close(descriptor)
        elif name in found or not (name in _NAMED or kept.is_stored(name)):
            others.append(descriptor)
        else:
            found[name] = descriptor
    for descriptor in others:
        found[_door_for(descriptor, found) or f"unknown-{descriptor - _FIRST}"] = descriptor
    return found


def _close_on_exec(descriptor: int) -> None:
    try:
        os.set_inheritable(descriptor, False)
    except OSError as error:
        raise Unavailable(f"LISTEN_FDS tells of descriptor {descriptor}: {error.strerror}") from error


def _door_for(descriptor: int, found: Mapping[str, int]) -> str | None:
    """Return which door a listening socket can be that nothing else is yet; the first of two ports is HTTP's."""
    return next((name for name in _DOORS.get(_listening_family(descriptor), ()) if name not in found), None)


def _listening_family(descriptor: int) -> int:
    """Return the family of a stream socket that listens, AF_UNSPEC for anything else."""
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        return socket.AF_UNSPEC
    with socket.socket(fileno=os.dup(descriptor)) as looked_at:
        is_listening = looked_at.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return looked_at.family if is_listening and looked_at.type == socket.SOCK_STREAM else socket.AF_UNSPEC


def _names(first: str, environment: MutableMapping[str, str]) -> list[str]:
    """Return all names; as a variable holds 128 KiB, our supervisor puts further ones into LISTEN_FDNAMES_2 and on."""
    pieces, number = [first], 2
    while (more := environment.pop(f"LISTEN_FDNAMES_{number}", None)) is not None:
        pieces.append(more)
        number += 1
    return [name for piece in pieces if piece for name in piece.split(":")]


def adopt_socket(name: str, descriptor: int) -> socket.socket:
    """Return a listening socket that was handed over.

    Raises:
        Unavailable: it is none, not of this door's kind, or elsewhere than on loopback.

    """
    why = _unfit(name, descriptor)
    if why is not None:
        os.close(descriptor)
        raise Unavailable(f"{name} (descriptor {descriptor}) cannot be served: {why}")
    found = socket.socket(fileno=descriptor)
    found.setblocking(False)
    return found


def _unfit(name: str, descriptor: int) -> str | None:
    """Return why a descriptor cannot be this door, if so."""
    if name not in _DOORS.get(_listening_family(descriptor), ()):
        return f"it is no {'Unix' if name == kept.RPC else 'IPv4'} socket that listens"
    with socket.socket(fileno=os.dup(descriptor)) as found:
        address = found.getsockname()
    if name == kept.RPC:
        return None if isinstance(address, str) and address else "it has no path, by which commands would find it"
    return None if address[0] == HOST else f"it listens at {address[0]}, not at {HOST}: others could start programs"


def bind_port(name: str, host: str, port: int) -> socket.socket:
    """Listen on one TCP port.

    Raises:
        PortsTaken: somebody else listens there.

    """
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(socket.SOMAXCONN)
    except OSError as error:
        listening.close()
        raise PortsTaken(f"cannot listen on {host}:{port} ({name}): {error.strerror}; choose another port") from error
    listening.setblocking(False)
    return listening


def bind_unix(path: Path) -> socket.socket:
    """Listen on a Unix socket, for nobody else; the caller holds the session's lock, so an old one is stale.

    Raises:
        Unavailable: it cannot be bound.

    """
    listening = socket.socket(socket.AF_UNIX)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(socket.SOMAXCONN)
    except OSError as error:
        listening.close()
        raise Unavailable(f"cannot listen at {path}: {error.strerror or error}") from error
    listening.setblocking(False)
    return listening


@dataclass(frozen=True, slots=True)
class Listening:
    """The three doors' sockets."""

    http: socket.socket
    ws: socket.socket
    unix: socket.socket
    endpoints: Endpoints
    #: Whether the Unix socket's file is ours to remove.
    is_own: bool

    @classmethod
    def take(cls, keeping: Keeping, http_port: int, ws_port: int, path: Path) -> Listening:
        """Adopt what was handed over, bind what was not; the session's lock is held.

        Raises:
            PortsTaken: a stranger has a port.
            Unavailable: the Unix socket cannot be bound, or what was handed over cannot be served.

        """
        with contextlib.ExitStack() as undo:
            http = cls._tcp(kept.HTTP, http_port, keeping)
            undo.callback(http.close)
            ws = cls._tcp(kept.WS, ws_port, keeping)
            undo.callback(ws.close)
            handed_over = keeping.take(kept.RPC)
            unix = bind_unix(path) if handed_over is None else adopt_socket(kept.RPC, handed_over)
            undo.pop_all()
        endpoints = Endpoints(HOST, http.getsockname()[1], ws.getsockname()[1], str(unix.getsockname()))
        return cls(http, ws, unix, endpoints, handed_over is None)

    @staticmethod
    def _tcp(name: str, port: int, keeping: Keeping) -> socket.socket:
        handed_over = keeping.take(name)
        return bind_port(name, HOST, port) if handed_over is None else adopt_socket(name, handed_over)

    def close(self) -> None:
        """Close what is still open, and remove the file we made."""
        for listening in (self.http, self.ws, self.unix):
            listening.close()
        if self.is_own:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.endpoints.socket)
