"""Show a recording in this terminal, as fast as it was."""

from __future__ import annotations

import codecs
import os
import re
import selectors
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from descartes_cli.terminal_modes import TerminalModes
from descartes_core.recordings.harmless import Harmless
from descartes_core.recordings.moments import Moment
from descartes_core.recordings.pace import Pace

#: How far an arrow goes (seconds of the recording).
_STEP = 5.0
#: Nothing waits longer at a time: what asks the system for weeks is refused (seconds).
_LONGEST_WAIT = 3600.0
_KEYS = {b"q": "quit", b"\x03": "quit", b"\x04": "quit", b" ": "pause", b"\x1b[C": "on", b"\x1b[D": "back"}
_KEY = re.compile(rb"\x1b[\[O][0-9;]*[A-Za-z~]|.", re.DOTALL)
_KEYS |= {b"\x1bOC": "on", b"\x1bOD": "back"}


@dataclass(frozen=True, slots=True)
class Begun:
    """A recording from some time on."""

    #: What paints the screen as it was then.
    screen: str
    moments: Iterator[Moment]


class Player:
    """Plays one recording to its end, or until somebody has seen enough."""

    def __init__(self, begin: Callable[[float], Begun], pace: Pace, display: int, keyboard: int | None) -> None:
        """Take what begins it at a time (seconds from its own beginning), and where it is shown and led."""
        self._begin, self._pace = begin, pace
        self._display, self._keyboard = display, keyboard
        self._modes = TerminalModes()
        self._typed: list[bytes] = []
        #: Told of every size that the recording has.
        self.on_size: Callable[[int, int], bytes] = lambda _rows, _cols: b""
        #: Told of what is gone.
        self.on_gap: Callable[[str], None] = lambda _text: None

    def play(self, began: float, start: float, stop: float | None) -> bool:
        """Show what lies between two times of a recording that began at one; say whether it came to its end."""
        at = start
        try:
            while True:
                wanted = self._from(began, at, stop)
                if isinstance(wanted, bool):
                    return wanted
                at = wanted
        finally:
            self._write(self._modes.take_back())

    def _from(self, began: float, start: float, stop: float | None) -> bool | float:
        """Show it from a time on; return the time to go on at instead, where somebody asked for that."""
        decoder, harmless = codecs.getincrementaldecoder("utf-8")("replace"), Harmless()
        begun = self._begin(start)
        self._show(harmless.feed(begun.screen))
        last = start
        self._pace.jump(began + start, now=time.monotonic())
        for moment in begun.moments:
            if stop is not None and moment.at - began > stop:
                return True
            while (key := self._wait(moment.at)) is not None:
                if key == "quit":
                    return False
                if key == "pause":
                    self._pace.pause(now=time.monotonic())
                else:
                    return max(last + (_STEP if key == "on" else -_STEP), 0.0)
            last = moment.at - began
            if moment.kind == "out":
                self._show(harmless.feed(decoder.decode(moment.data)))
            elif moment.kind == "size":
                self._write(self.on_size(*moment.size))
            elif moment.kind == "gap":
                self.on_gap(moment.text)
        return True

    def _wait(self, at: float) -> str | None:
        """Wait until it is time for a moment; return the key that was pressed before."""
        while True:
            now = time.monotonic()
            due = self._pace.due(at, now=now)
            if due <= now and not self._pace.is_paused and (key := self._pressed(0.0)) is None:
                self._pace.shown(at, due)
                return None
            if due > now or self._pace.is_paused:
                key = self._pressed(None if self._pace.is_paused else min(due - now, _LONGEST_WAIT))
            if key is not None:
                return key

    def _pressed(self, patience: float | None) -> str | None:
        """Wait for a key that means something."""
        while self._typed:
            if (key := _KEYS.get(self._typed.pop(0))) is not None:
                return key
        if self._keyboard is None:
            if patience:
                time.sleep(patience)
            return None
        with selectors.DefaultSelector() as selector:
            selector.register(self._keyboard, selectors.EVENT_READ)
            if not selector.select(patience):
                return None
        keys = os.read(self._keyboard, 1024)
        if not keys:  # nobody is there any more
            return "quit"
        self._typed = _KEY.findall(keys)
        return self._pressed(0.0)

    def _show(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        self._modes.feed(data)
        self._write(data)

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._display, data) :]
            except BlockingIOError:
                with selectors.DefaultSelector() as selector:
                    selector.register(self._display, selectors.EVENT_WRITE)
                    selector.select()
