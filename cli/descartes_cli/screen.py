"""Keys to the agent, its output to the terminal, until one of them ends."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from descartes_cli.detach_key import DetachKey
from descartes_cli.link import Link
from descartes_cli.rawmode import lent
from descartes_cli.terminal_modes import TerminalModes

#: Who types after a pause this long takes the pen again: another terminal may have it.
_TURN = 1.0


class Screen:
    """One attachment of this terminal to one agent."""

    def __init__(self, path: str, agent_id: str, key: DetachKey, *, read_only: bool) -> None:
        self._keyboard, self._display = sys.stdin.fileno(), sys.stdout.fileno()
        self._key = key
        self._read_only = read_only
        self._modes = TerminalModes()
        self._ended: dict[str, Any] | None = None
        self._is_let_go = False
        self._typed_at = time.monotonic()
        rows, columns = self._size()
        mode = "ro" if read_only else "rw"
        self._link = Link(path, {"agent_id": agent_id, "rows": rows, "cols": columns, "mode": mode})

    @property
    def offset(self) -> int | None:
        """Up to which byte the agent's output was shown."""
        return self._link.offset

    def run(self) -> dict[str, Any] | None:
        """Return how the agent ended (exit_code, signal), None when the detach key let go of it.

        Raises:
            DescartesError: the daemon refused, or did not come back.
            SystemExit: a signal ended this program.

        """
        try:
            with _woken_by_resizing() as woken, lent(self._keyboard, self._resized):
                try:
                    while self._ended is None and not self._is_let_go:
                        self._wait(woken)
                finally:
                    with contextlib.suppress(OSError):
                        self._write(self._modes.take_back())
        finally:
            self._link.close()
        return self._ended

    def _wait(self, woken: socket.socket) -> None:
        """Wait until something can go on, and let it."""
        with selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            if not self._link.is_full:
                selector.register(self._keyboard, selectors.EVENT_READ)
            if self._link.socket is not None:
                selector.register(self._link.socket, self._link.wanted())
            due = self._link.due
            ready = {key.fileobj for key, _ in selector.select(None if due is None else max(due - time.monotonic(), 0))}
        if woken in ready:
            woken.recv(4096)
            self._resized()
        if self._keyboard in ready:
            self._typed()
        for frame in self._link.go_on(now=time.monotonic()):
            self._shown(frame)

    def _typed(self) -> None:
        try:
            keys = os.read(self._keyboard, 65_536)
        except OSError:
            keys = b""
        at = self._key.find(keys)
        self._is_let_go = at is not None or not keys  # without a keyboard there is nothing more to do here
        if not self._read_only:
            now = time.monotonic()
            if now - self._typed_at > _TURN:
                self._link.take()
            self._typed_at = now
            self._link.type(keys[:at])

    def _shown(self, frame: bytes | dict[str, Any]) -> None:
        if isinstance(frame, bytes):
            self._write(frame)
        elif frame["type"] == "screen":
            self._write(str(frame["vt"]).encode())
        elif frame["type"] == "exit":
            self._ended = frame

    def _write(self, output: bytes) -> None:
        self._modes.feed(output)
        while output:
            try:
                output = output[os.write(self._display, output) :]
            except BlockingIOError:  # a terminal that somebody else has made non-blocking
                with selectors.DefaultSelector() as selector:
                    selector.register(self._display, selectors.EVENT_WRITE)
                    selector.select()

    def _resized(self) -> None:
        self._link.resized(*self._size())

    def _size(self) -> tuple[int, int]:
        columns, rows = os.get_terminal_size(self._display)
        return min(rows or 24, 1000), min(columns or 80, 1000)


@contextlib.contextmanager
def _woken_by_resizing() -> Iterator[socket.socket]:
    """Give a socket that becomes readable when the window has a new size."""

    def note(number: int, _: FrameType | None) -> None:
        """Python writes to the wakeup descriptor only for signals that have a handler."""

    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    with reader, writer:
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        handler = signal.signal(signal.SIGWINCH, note)
        try:
            yield reader
        finally:
            signal.signal(signal.SIGWINCH, handler)
            signal.set_wakeup_fd(before)
