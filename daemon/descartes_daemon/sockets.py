"""The sockets a daemon serves: handed over by who started it, or bound by itself."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import MutableMapping
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
#: What a caller's environment must not tell our children.
_CONTRACT = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def take_inherited(environment: MutableMapping[str, str]) -> dict[str, int]:
    """Return the descriptors that were handed over, by name, and forget the variables that told of them."""
    told = {name: environment.pop(name, "") for name in _CONTRACT}
    names = _names(told["LISTEN_FDNAMES"], environment)
    if told["LISTEN_PID"] != str(os.getpid()) or not told["LISTEN_FDS"].isdigit():
        return {}
    count = int(told["LISTEN_FDS"])
    names += [f"unknown-{number}" for number in range(len(names), count)]
    descriptors = {name: _FIRST + number for number, name in enumerate(names[:count])}
    for descriptor in descriptors.values():
        os.set_inheritable(descriptor, False)
    return descriptors


def _names(first: str, environment: MutableMapping[str, str]) -> list[str]:
    """Return all names; as a variable holds 128 KiB, our supervisor puts further ones into LISTEN_FDNAMES_2 and on."""
    pieces, number = [first], 2
    while (more := environment.pop(f"LISTEN_FDNAMES_{number}", None)) is not None:
        pieces.append(more)
        number += 1
    return [name for piece in pieces if piece for name in piece.split(":")]


def adopt_socket(descriptor: int) -> socket.socket:
    """Return a listening socket that was handed over."""
    found = socket.socket(fileno=descriptor)
    found.setblocking(False)
    return found


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
            Unavailable: the Unix socket cannot be bound.

        """
        with contextlib.ExitStack() as undo:
            http = cls._tcp(kept.HTTP, http_port, keeping)
            undo.callback(http.close)
            ws = cls._tcp(kept.WS, ws_port, keeping)
            undo.callback(ws.close)
            handed_over = keeping.take(kept.RPC)
            unix = bind_unix(path) if handed_over is None else adopt_socket(handed_over)
            undo.pop_all()
        endpoints = Endpoints(HOST, http.getsockname()[1], ws.getsockname()[1], str(unix.getsockname()))
        return cls(http, ws, unix, endpoints, handed_over is None)

    @staticmethod
    def _tcp(name: str, port: int, keeping: Keeping) -> socket.socket:
        handed_over = keeping.take(name)
        return bind_port(name, HOST, port) if handed_over is None else adopt_socket(handed_over)

    def close(self) -> None:
        """Close what is still open, and remove the file we made."""
        for listening in (self.http, self.ws, self.unix):
            listening.close()
        if self.is_own:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.endpoints.socket)
