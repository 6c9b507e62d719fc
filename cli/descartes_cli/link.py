"""One connection to an agent's terminal, made again when it breaks."""

from __future__ import annotations

import errno
import json
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Any

from descartes_core.errors import DaemonUnreachable
from descartes_core.frames import FrameReader, bytes_frame, json_frame
from descartes_core.jsonrpc import request, result_of
from descartes_local.peer import connect_to_ours

#: How long a daemon that broke off may take to be back.
PATIENCE = 30.0
#: Between attempts, only where nobody holds the socket meanwhile.
_PAUSE = 0.2
#: Typed bytes go out in frames of at most this size, so that little is in doubt when the connection breaks.
_PIECE = 4096
#: More than this is not read from the keyboard before the daemon has taken some.
MUCH = 262_144


class Link:
    """Connects, asks to attach, carries frames; never blocks.

    Its owner waits: for what `wanted()` says, until `due`, then calls `go_on`.
    """

    def __init__(self, path: str, params: dict[str, Any]) -> None:
        self.offset: int | None = None
        self.socket: socket.socket | None = None
        self.due: float | None = None  # when to connect again
        self.is_open = False  # the daemon has agreed to attach
        self._path = path
        self._params = params
        self._typed = bytearray()
        self._unsure = bytearray()  # sent, and not yet known to have reached the agent's terminal
        self._outgoing = b""
        self._received = b""
        self._frames = FrameReader()
        self._broken_since: float | None = None
        self._connect()

    @property
    def is_full(self) -> bool:
        """Whether enough waits to be sent."""
        return len(self._typed) + len(self._unsure) > MUCH

    def wanted(self) -> int:
        """Return the selector events to wait for."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._next() else 0)

    def type(self, keys: bytes) -> None:
        """Send keys, or keep them until the daemon is back."""
        self._typed += keys

    def tell(self, value: dict[str, Any]) -> None:
        """Send a JSON frame; it is lost with the connection."""
        if self.is_open:
            self._outgoing += json_frame(value)

    def take(self) -> None:
        """Take the pen."""
        self.tell({"type": "take"})

    def resized(self, rows: int, columns: int) -> None:
        """Tell the size of the terminal, now or when attached again."""
        self._params |= {"rows": rows, "cols": columns}
        self.tell({"type": "resize", "rows": rows, "cols": columns})

    def go_on(self, *, now: float) -> Iterator[bytes | dict[str, Any]]:
        """Send and receive what is possible; yield what arrived, and `attached` each time the daemon has agreed.

        Raises:
            DescartesError: the daemon refused to attach.
            DaemonUnreachable: it was away for longer than the patience.

        """
        if self.socket is None:
            if self.due is not None and now >= self.due:
                self._connect()
            return
        try:
            self._send()
            data = self.socket.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._broken()
            return
        yield from self._take(data)

    def close(self) -> None:
        """Let go."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def _next(self) -> bytes:
        if not self._outgoing and self.is_open and self._typed:
            self._outgoing = bytes_frame(bytes(self._typed[:_PIECE]))
            self._unsure += self._typed[:_PIECE]
            del self._typed[:_PIECE]
        return self._outgoing

    def _send(self) -> None:
        assert self.socket is not None
        try:
            while part := self._next():
                self._outgoing = part[self.socket.send(part) :]
        except OSError:  # full for now; or closed, and what it said last is still to be read
            return

    def _take(self, data: bytes) -> Iterator[bytes | dict[str, Any]]:
        if not self.is_open:
            line, found, data = (self._received + data).partition(b"\n")
            if not found:
                self._received = line
                return
            self._agreed(json.loads(line))
            yield {"type": "attached"}  # now, and before what was typed meanwhile, the pen may be taken
        for frame in self._frames.feed(data):
            if isinstance(frame, bytes):
                self.offset = (self.offset or 0) + len(frame)
            elif frame["type"] in ("screen", "offset"):
                self.offset = int(frame["offset"])
            elif frame["type"] == "took":
                del self._unsure[: int(frame["bytes"])]
            yield frame

    def _agreed(self, answer: dict[str, Any]) -> None:
        result_of(answer)
        self.is_open, self._broken_since = True, None

    def _connect(self) -> None:
        self.due = None
        # What a daemon was not heard to have typed before it was killed is typed again.
        self._typed[:0] = self._unsure
        self._unsure.clear()
        self.is_open, self._outgoing, self._received, self._frames = False, b"", b"", FrameReader()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.setblocking(False)
        try:
            connect_to_ours(self.socket, self._path)
        except OSError as error:
            first = self._broken_since is None and self.offset is None
            if first and error.errno != errno.EAGAIN:
                self.close()
                raise DaemonUnreachable(f"nobody listens at {self._path}: {error.strerror}") from error
            self._broken()
            return
        where = {} if self.offset is None else {"offset": self.offset}
        self._outgoing = request("agent.attach", self._params | where, 1)

    def _broken(self) -> None:
        """Connect again: at once the first time, since somebody holds the socket; then with pauses."""
        self.close()
        self.is_open = False
        now = time.monotonic()
        if self._broken_since is None:
            self._broken_since, self.due = now, now
        elif now - self._broken_since > PATIENCE:
            raise DaemonUnreachable(f"the daemon has not come back within {PATIENCE:.0f} s; the agent may go on")
        else:
            self.due = now + _PAUSE
