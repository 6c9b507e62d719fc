"""Hear what a daemon tells: systemd's notify protocol, the keeper's half."""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: A notice is a few short lines; systemd takes as much.
_LONGEST = 4096
#: More descriptors than anybody sends in one notice; the kernel closes what is beyond.
_MOST_DESCRIPTORS = 64
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Notice:
    """One datagram; whoever takes it owns the descriptors."""

    fields: dict[str, str]
    descriptors: tuple[int, ...]

    def close(self) -> None:
        """Close all descriptors that came with it."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class NotifySocket:
    """Where one session's daemon tells how it is."""

    def __init__(self, path: Path) -> None:
        """Bind it; what is left there of an earlier supervisor goes.

        Raises:
            OSError: it cannot be bound.

        """
        self.path = path
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            if sys.platform == "linux":
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._socket.bind(str(path))
            path.chmod(0o600)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor to watch."""
        return self._socket.fileno()

    def receive(self, sender: int | None) -> Iterator[Notice]:
        """Return what this process has told, all that has come; what others said is dropped."""
        while True:
            try:
                text, ancillary, _, _ = self._socket.recvmsg(
                    _LONGEST, socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)
                )
            except OSError:  # nothing more has come
                return
            pid, descriptors = _unpack(ancillary)
            notice = Notice(_fields(text), descriptors)
            if sender is None or (pid is not None and pid != sender):
                notice.close()
            else:
                yield notice

    def close(self) -> None:
        """Close it and remove it from disk."""
        self._socket.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


def _unpack(ancillary: list[tuple[int, int, bytes]]) -> tuple[int | None, tuple[int, ...]]:
    pid, numbers = None, array.array("i")
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_RIGHTS:
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
        elif sys.platform == "linux" and kind == socket.SCM_CREDENTIALS:
            pid = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
    for descriptor in numbers:
        os.set_inheritable(descriptor, False)
    return pid, tuple(numbers)


def _fields(text: bytes) -> dict[str, str]:
    lines = text.decode(errors="replace").splitlines()
    return {name: value for name, found, value in (line.partition("=") for line in lines) if found}
