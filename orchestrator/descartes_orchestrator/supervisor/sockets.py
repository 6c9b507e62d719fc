"""The doors of one session, held open also while its daemon is down."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Collection
from pathlib import Path

from descartes_core.kept import HTTP, RPC, WS
from descartes_orchestrator.supervisor.ports import BACKLOG, HOST, Pair

_TCP, _UNIX = (socket.AF_INET, socket.AF_INET6), (socket.AF_UNIX,)


class Sockets:
    """Two listening TCP sockets and a Unix socket."""

    def __init__(self, http: socket.socket, ws: socket.socket, rpc: socket.socket, path: Path) -> None:
        """Take the three, which listen already; the Unix socket does so at this path."""
        self.path = path
        self._http, self._ws, self._rpc = http, ws, rpc

    @property
    def ports(self) -> Pair:
        """HTTP, WebSocket."""
        return self._http.getsockname()[1], self._ws.getsockname()[1]

    @property
    def endpoints(self) -> dict[str, str]:
        """Where clients find the session."""
        http, ws = self.ports
        return {
            "http_endpoint": f"http://{HOST}:{http}",
            "ws_endpoint": f"ws://{HOST}:{ws}",
            "socket": str(self.path),
        }

    def descriptors(self) -> list[tuple[str, int]]:
        """Return the three, by name."""
        return [(HTTP, self._http.fileno()), (WS, self._ws.fileno()), (RPC, self._rpc.fileno())]

    def let_go(self) -> None:
        """Close all; who has them too goes on listening."""
        for listener in (self._http, self._ws, self._rpc):
            listener.close()

    def close(self) -> None:
        """Close all and remove the Unix socket: from now on clients are refused."""
        self.let_go()
        with contextlib.suppress(OSError):
            self.path.unlink()


def open_sockets(pair: tuple[socket.socket, socket.socket], path: Path) -> Sockets:
    """Take a pair and bind the Unix socket; what is left there of an earlier one goes.

    Raises:
        OSError: it cannot be bound; the pair is closed.

    """
    rpc = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sockets = Sockets(*pair, rpc, path)
    try:
        path.unlink(missing_ok=True)
        rpc.bind(str(path))
        path.chmod(0o600)
        rpc.listen(BACKLOG)
    except OSError:
        sockets.close()
        raise
    return sockets


def inherited_sockets(http: int, ws: int, rpc: int, path: Path) -> Sockets:
    """Return sockets that listen already, by their descriptors, which are theirs from now on.

    Raises:
        OSError: one does not listen where it should; all are still the caller's.

    """
    listeners: list[socket.socket] = []
    try:
        for descriptor, families in ((http, _TCP), (ws, _TCP), (rpc, _UNIX)):
            listeners.append(socket.socket(fileno=descriptor))
            if not _listens(listeners[-1], families):
                raise OSError(errno.EINVAL, "one does not listen, or not where it should")
    except OSError:
        for listener in listeners:
            listener.detach()
        raise
    first, second, third = listeners
    return Sockets(first, second, third, path)


def _listens(tried: socket.socket, families: Collection[int]) -> bool:
    return tried.family in families and bool(tried.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
