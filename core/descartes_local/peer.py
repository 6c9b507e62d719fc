"""Who is at the other end of a Unix socket; the kernel says so."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from pathlib import Path
from typing import NamedTuple

#: struct ucred: pid, uid, gid (unix(7)).
_UCRED = struct.Struct("3i")


class Peer(NamedTuple):
    """A process as it was when it connected; pid 0 where the system does not tell."""

    pid: int
    uid: int

    @property
    def may_come_in(self) -> bool:
        """Whether it is the same user, or root."""
        return self.uid in (os.getuid(), 0)


def connect_to_ours(connection: socket.socket, path: str | Path) -> None:
    """Connect to a socket, and stay only where one of us listens: in a directory that all share it may be anybody.

    Raises:
        OSError: nobody listens there, or somebody else does.

    """
    connection.connect(str(path))
    if not peer_of(connection).may_come_in:
        connection.close()
        raise PermissionError(errno.EPERM, "only another user does")


def is_held(path: str | Path) -> bool:
    """Say whether somebody has the socket of this name open, to listen or to be told; it is not waited for."""
    return any(_connects(path, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))


def _connects(path: str | Path, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_UNIX, kind) as tried:
        tried.setblocking(False)
        try:
            tried.connect(str(path))
        except BlockingIOError:
            return True  # it listens, and is busy
        except OSError:
            return False
    return True


def peer_of(connection: socket.socket) -> Peer:
    """Return who is there; where the system does not tell it is one of us: the directory lets nobody else in."""
    if sys.platform != "linux":
        return Peer(0, os.getuid())
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(pid, uid)
