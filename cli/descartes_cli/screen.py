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

from descartes_cli.company import Company
from descartes_cli.detach_key import DetachKey
from descartes_cli.link import Link
from descartes_cli.notices import BELL, Notices
from descartes_cli.rawmode import lent
from descartes_cli.render import printable
from descartes_cli.terminal_modes import TerminalModes

#: Takes the pen; only while somebody else has it, for no key goes to the agent then.
_TAKE, _OTHER_TAKE = "ctrl-t", "ctrl-y"
#: What a terminal says by itself (the mouse, an answer) begins so: nobody typed it.
_ESCAPE = b"\x1b"


class Screen:
    """One attachment of this terminal to one agent."""

    def __init__(
        self, path: str, agent: dict[str, Any], key: DetachKey, *, read_only: bool, take: bool, client: str
    ) -> None:
        self._keyboard, self._display = sys.stdin.fileno(), sys.stdout.fileno()
        self._key = key
        self._take_key = DetachKey(_TAKE if key.name != DetachKey(_TAKE).name else _OTHER_TAKE)
        self._company = Company(agent["name"], let_go=key.name, take=self._take_key.name, read_only=read_only)
        self._modes, self._notices = TerminalModes(), Notices()
        #: A line that is to be shown.
        self._word: str | None = None
        self._wants_pen = take
        self._ended: dict[str, Any] | None = None
        self._is_let_go = self._is_introduced = False
        #: Whether the daemon knows what the screen shows, and so can paint it again.
        self._is_exact = False
        rows, columns = self._size()
        mode = "ro" if read_only else "rw"
        asked = {"agent_id": agent["id"], "rows": rows, "cols": columns, "mode": mode, "client": client}
        self._link = Link(path, asked)

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
            with _woken_by_resizing() as woken, lent(self._keyboard, self._came_back):
                try:
                    while self._ended is None and not self._is_let_go:
                        self._wait(woken)
                finally:
                    with contextlib.suppress(OSError):
                        self._put(self._modes.take_back() + self._notices.take_back())
                        # What was painted below the cursor is not to stand behind what the shell says next.
                        self._put(b"\x1b[J" if self._is_exact else b"")
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
            due = min((at for at in (self._link.due, self._notices.due) if at is not None), default=None)
            ready = {key.fileobj for key, _ in selector.select(None if due is None else max(due - time.monotonic(), 0))}
        if woken in ready:
            woken.recv(4096)
            self._resized()
        if self._keyboard in ready:
            self._typed()
        now = time.monotonic()
        for frame in self._link.go_on(now=now):
            self._shown(frame)
        if self._notices.is_over(now):
            self._paint_again()
        self._say_word(now)

    def _typed(self) -> None:
        try:
            keys = os.read(self._keyboard, 65_536)
        except OSError:
            keys = b""
        last = self._key.split(keys)
        self._is_let_go = last is not None or not keys  # without a keyboard there is nothing more to do here
        keys = keys if last is None else last[0]
        if self._company.may_take and (taken := self._take_key.split(keys)) is not None:
            self._take_pen()
            keys = taken[1]
        if self._company.may_type:
            self._link.type(keys)
        elif keys and not keys.startswith(_ESCAPE):
            self._put(BELL)
            self._word = self._company.reminder()

    def _take_pen(self) -> None:
        self._wants_pen = True
        self._company.taking()
        self._link.take()

    def _shown(self, frame: bytes | dict[str, Any]) -> None:
        if isinstance(frame, bytes):
            self._write(frame)
            return
        match frame["type"]:
            case "attached":
                if self._wants_pen:
                    self._take_pen()
            case "screen":
                self._paint(frame)
            case "pen":
                self._heard(frame)
            case "error":
                self._company.refused()
                self._word = printable(str(frame["message"])) if self._company.may_type else self._company.reminder()
            case "gap":
                self._paint_again()
            case "exit":
                self._ended = frame

    def _paint(self, frame: dict[str, Any]) -> None:
        is_first, self._is_exact = not self._is_exact, bool(frame.get("exact"))
        if self._is_exact and is_first:
            # What the shell shows goes up, to where its history is, before the screen is cleared.
            self._write(b"\r\n" * self._size()[0])
        self._write(str(frame["vt"]).encode())

    def _paint_again(self) -> None:
        """Ask for the screen, where the daemon can tell it: else it would be text, once more."""
        if self._is_exact:
            self._link.tell({"type": "screen"})

    def _heard(self, frame: dict[str, Any]) -> None:
        news = self._company.heard(frame)
        self._wants_pen = self._company.may_type and frame["holder"] is not None
        if news is not None:
            self._put(self._notices.title(news))
        if not self._is_introduced:
            self._is_introduced = True
            news = self._company.opening()
        self._word = news or self._word

    def _say_word(self, now: float) -> None:
        """Show a line over the agent's own, where it can be taken away again; not within a sequence."""
        if self._word is None or self._modes.is_within:
            return
        word, self._word = self._word, None
        if self._is_exact:
            self._put(self._notices.line(word, *self._size(), now=now))

    def _write(self, output: bytes) -> None:
        self._modes.feed(output)
        self._put(output)

    def _put(self, output: bytes) -> None:
        while output:
            try:
                output = output[os.write(self._display, output) :]
            except BlockingIOError:  # a terminal that somebody else has made non-blocking
                with selectors.DefaultSelector() as selector:
                    selector.register(self._display, selectors.EVENT_WRITE)
                    selector.select()

    def _came_back(self) -> None:
        """Paint what a shell has painted over meanwhile."""
        self._resized()
        self._paint_again()

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
