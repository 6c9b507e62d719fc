"""Who is at the other end of a Unix socket; the kernel says so."""

from __future__ import annotations

import os
import socket
import struct
import sys
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


def peer_of(connection: socket.socket) -> Peer:
    """Return who connected; where the system does not tell it is one of us: the directory lets nobody else in."""
    if sys.platform != "linux":
        return Peer(0, os.getuid())
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(pid, uid)
