"""Speak newline-delimited JSON-RPC to one Unix socket, synchronously, with few imports."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from descartes_core.errors import DaemonUnreachable, DeadlineOver
from descartes_core.jsonrpc import result_of
from descartes_local.peer import connect_to_ours

T = TypeVar("T")
#: For who has set no deadline.
_LONGEST = 86_400.0


class Connection:
    """One open connection; calls are answered in order."""

    def __init__(self, path: str | Path, *, timeout: float = 30.0) -> None:
        """Connect.

        Raises:
            DaemonUnreachable: nobody listens there.

        """
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self._number = 0
        self._received = b""
        #: Called when nothing has come for so many seconds, and again after twice as many, until the deadline.
        self.on_silence: tuple[float, Callable[[], object]] | None = None
        try:
            connect_to_ours(self.socket, path)
        except OSError as error:
            self.socket.close()
            raise DaemonUnreachable(f"nobody listens at {path}: {error.strerror or error}") from error

    def call(self, method: str, params: dict[str, Any] | None = None, *, timeout: float | None = None) -> Any:
        """Call one method and return its result.

        Raises:
            DescartesError: what the peer answered (the class that its code names).
            DaemonUnreachable: the connection broke before the answer.
            DeadlineOver: no answer came in time.

        """
        if timeout is not None:
            self.socket.settimeout(timeout)
        patience = self.socket.gettimeout() or _LONGEST
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params or {}}
        try:
            self._send(json.dumps(message).encode() + b"\n", _Waiting(self.socket, patience, self.on_silence))
            answer = json.loads(self._line(_Waiting(self.socket, patience, self.on_silence)))
        except TimeoutError:
            raise DeadlineOver(f"no answer to {method} within {patience:.0f} s") from None
        except (OSError, ValueError) as error:
            raise DaemonUnreachable(f"the connection broke during {method}: {error}") from error
        finally:
            self.socket.settimeout(patience)
        return result_of(answer)

    def _send(self, data: bytes, waiting: _Waiting) -> None:
        left = memoryview(data)
        while left:
            left = left[waiting.until(lambda: self.socket.send(left)) :]  # noqa: B023 - called at once

    def _line(self, waiting: _Waiting) -> bytes:
        pieces = [self._received]
        while b"\n" not in pieces[-1]:
            piece = waiting.until(lambda: self.socket.recv(262_144))
            if not piece:
                raise ConnectionResetError("closed by the other side")
            pieces.append(piece)
        line, _, self._received = b"".join(pieces).partition(b"\n")
        return line

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Waiting:
    """One wait with a deadline, during which silence is told."""

    def __init__(
        self, connection: socket.socket, patience: float, on_silence: tuple[float, Callable[[], object]] | None
    ) -> None:
        self._socket, self._patience = connection, patience
        self._pause, self._tell = patience, None if on_silence is None else on_silence[1]
        if on_silence is not None:
            self._pause = on_silence[0]

    def until(self, do: Callable[[], T]) -> T:
        """Do what may have to wait; each piece that comes may take the whole time."""
        ends = time.monotonic() + self._patience
        while True:
            self._socket.settimeout(max(0.001, min(self._pause, ends - time.monotonic())))
            try:
                return do()
            except TimeoutError:
                if self._tell is None or time.monotonic() >= ends:
                    raise
            self._tell()
            self._pause *= 2


def call(path: str | Path, method: str, params: dict[str, Any] | None = None, *, timeout: float = 30.0) -> Any:
    """Connect, call once, close."""
    with Connection(path, timeout=timeout) as connection:
        return connection.call(method, params)
