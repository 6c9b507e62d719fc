"""Speak newline-delimited JSON-RPC to one Unix socket, synchronously, with few imports."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Self

from descartes_core.errors import DaemonUnreachable, DeadlineOver
from descartes_core.jsonrpc import result_of
from descartes_local.peer import connect_to_ours


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
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params or {}}
        try:
            self.socket.sendall(json.dumps(message).encode() + b"\n")
            answer = json.loads(self._line())
        except TimeoutError:
            raise DeadlineOver(f"no answer to {method} within {self.socket.gettimeout():.0f} s") from None
        except (OSError, ValueError) as error:
            raise DaemonUnreachable(f"the connection broke during {method}: {error}") from error
        return result_of(answer)

    def _line(self) -> bytes:
        pieces = [self._received]
        while b"\n" not in pieces[-1]:
            piece = self.socket.recv(262_144)
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


def call(path: str | Path, method: str, params: dict[str, Any] | None = None, *, timeout: float = 30.0) -> Any:
    """Connect, call once, close."""
    with Connection(path, timeout=timeout) as connection:
        return connection.call(method, params)
