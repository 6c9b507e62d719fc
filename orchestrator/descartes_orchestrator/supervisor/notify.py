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
from typing import NamedTuple

from descartes_local.descriptors import let_go
from descartes_orchestrator.supervisor.journal import note

#: A notice is a few short lines; systemd takes as much.
_LONGEST = 4096
#: Taken in one turn; who says more waits for the next, so that nobody keeps us from everybody else. The socket's own
#: queue is far shorter, so all that a dead daemon had said is among them.
_MOST_AT_ONCE = 1000
#: More descriptors than anybody sends in one notice; the kernel closes what is beyond.
_MOST_DESCRIPTORS = 64
_CREDENTIALS = struct.Struct("3i")


class Sender(NamedTuple):
    """Who said something; the kernel says so."""

    pid: int
    uid: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One datagram; whoever takes it owns the descriptors."""

    fields: dict[str, str]
    descriptors: tuple[int, ...]
    #: False: words were cut off, or descriptors, as the kernel does where too few are free.
    is_whole: bool = True

    def answer(self, word: str) -> None:
        """Say a word to whoever waits at its descriptors, as far as they take it now, and close them."""
        for descriptor in self.descriptors:
            with contextlib.suppress(OSError):
                os.set_blocking(descriptor, False)
                os.write(descriptor, word.encode(errors="replace"))
        self.close()

    def close(self) -> None:
        """Close all descriptors that came with it."""
        let_go(self.descriptors)


class NotifySocket:
    """Where one session's daemon tells how it is."""

    def __init__(self, path: Path, bound: int | None = None) -> None:
        """Bind it, and what is left there of an earlier supervisor goes; or take the descriptor of one that is bound.

        Raises:
            OSError: it cannot be bound, or is no socket.

        """
        self.path = path
        #: Who was not heard last.
        self._stranger: Sender | None = None
        if bound is not None:
            self._socket = socket.socket(fileno=bound)
            return
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
        """Return what this process of ours has told, of what has come; what others said is dropped."""
        for _ in range(_MOST_AT_ONCE):
            try:
                text, ancillary, flags, _ = self._socket.recvmsg(
                    _LONGEST, socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS)
                )
            except OSError:  # nothing more has come
                return
            who, descriptors = _unpack(ancillary)
            notice = Notice(_fields(text), descriptors, not flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC))
            if self._is_heard(who, sender):
                yield notice
            else:
                notice.close()

    def _is_heard(self, who: Sender | None, sender: int | None) -> bool:
        if who is None:
            return sys.platform != "linux" and sender is not None  # nothing tells: the directory lets nobody else in
        if who == Sender(sender or -1, os.getuid()):
            return True
        if who != self._stranger:
            self._stranger = who  # once: who talks on does not fill the log
            note(f"{self.path.name}: pid {who.pid} of user {who.uid} is not this session's daemon, and is not heard")
        return False

    def close(self) -> None:
        """Close it and remove it from disk."""
        self._socket.close()
        with contextlib.suppress(OSError):
            self.path.unlink()


def _unpack(ancillary: list[tuple[int, int, bytes]]) -> tuple[Sender | None, tuple[int, ...]]:
    who, numbers = None, array.array("i")
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_RIGHTS:
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
        elif sys.platform == "linux" and kind == socket.SCM_CREDENTIALS:
            who = Sender(*_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[:2])
    for descriptor in numbers:
        os.set_inheritable(descriptor, False)
    return who, tuple(numbers)


def _fields(text: bytes) -> dict[str, str]:
    lines = text.decode(errors="replace").splitlines()
    return {name: value for name, found, value in (line.partition("=") for line in lines) if found}
