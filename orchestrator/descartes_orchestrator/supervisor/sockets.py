"""The doors of one session, held open also while its daemon is down."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from descartes_core.kept import HTTP, RPC, WS
from descartes_orchestrator.supervisor.ports import BACKLOG, HOST, Pair

_TCP, _UNIX = (socket.AF_INET, socket.AF_INET6), (socket.AF_UNIX,)
_FAMILIES = MappingProxyType({HTTP: _TCP, WS: _TCP, RPC: _UNIX})


class Sockets:
    """A Unix socket and, of a session, two listening TCP sockets."""

    def __init__(self, listeners: Mapping[str, socket.socket], path: Path) -> None:
        """Take them by name; they listen already, the Unix socket at this path."""
        self.path = path
        self._listeners = dict(listeners)

    @property
    def ports(self) -> Pair | None:
        """HTTP, WebSocket; None where there are none."""
        if HTTP not in self._listeners:
            return None
        return self._port(HTTP), self._port(WS)

    @property
    def endpoints(self) -> dict[str, str]:
        """Where clients find the session."""
        found = {"socket": str(self.path)}
        if (ports := self.ports) is not None:
            http, ws = ports
            found |= {"http_endpoint": f"http://{HOST}:{http}", "ws_endpoint": f"ws://{HOST}:{ws}"}
        return found

    def descriptors(self) -> list[tuple[str, int]]:
        """Return them, by name."""
        return [(name, listener.fileno()) for name, listener in self._listeners.items()]

    def let_go(self) -> None:
        """Close all; who has them too goes on listening."""
        for listener in self._listeners.values():
            listener.close()

    def close(self) -> None:
        """Close all and remove the Unix socket: from now on clients are refused."""
        self.let_go()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _port(self, name: str) -> int:
        return int(self._listeners[name].getsockname()[1])


def open_sockets(pair: tuple[socket.socket, socket.socket] | None, path: Path) -> Sockets:
    """Take a pair, where there is to be one, and bind the Unix socket; what is left there of an earlier one goes.

    Raises:
        OSError: it cannot be bound; the pair is closed.

    """
    rpc = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    tcp = {} if pair is None else dict(zip((HTTP, WS), pair, strict=True))
    sockets = Sockets({**tcp, RPC: rpc}, path)
    try:
        path.unlink(missing_ok=True)
        rpc.bind(str(path))
        path.chmod(0o600)
        rpc.listen(BACKLOG)
    except OSError:
        sockets.close()
        raise
    return sockets


def inherited_sockets(descriptors: Mapping[str, int], path: Path) -> Sockets:
    """Return sockets that listen already, by their descriptors, which are theirs from now on.

    Raises:
        OSError: one does not listen where it should; all are still the caller's.

    """
    listeners: dict[str, socket.socket] = {}
    try:
        for name, descriptor in descriptors.items():
            listeners[name] = socket.socket(fileno=descriptor)
            if not _listens(listeners[name], _FAMILIES[name]):
                raise OSError(errno.EINVAL, "one does not listen, or not where it should")
    except OSError:
        for listener in listeners.values():
            listener.detach()
        raise
    return Sockets(listeners, path)


def _listens(tried: socket.socket, families: tuple[int, ...]) -> bool:
    return tried.family in families and bool(tried.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
