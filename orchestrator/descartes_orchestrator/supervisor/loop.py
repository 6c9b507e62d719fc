"""One thread that waits for descriptors, timers and signals.

It never polls: with nothing due it blocks for ever. A fault in one callback is written down and the loop goes on,
because everything that daemons gave into keeping would be lost with it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from descartes_orchestrator.supervisor.journal import note

#: Nothing may have to wait longer than this for the clock of a timer that lies further ahead than poll can say.
_LONGEST_WAIT = 86_400.0


@dataclass(order=True, slots=True)
class Timer:
    """Something to be done later, unless it is cancelled."""

    when: float
    number: int
    callback: Callable[[], None] | None = field(compare=False)

    def cancel(self) -> None:
        """Do it never; also when it is done already."""
        self.callback = None


class Loop:
    """Calls back."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[Timer] = []
        self._numbers = itertools.count()
        self._signals: dict[int, Callable[[], None]] = {}
        self._running = True
        self._woken, self._wakes = socket.socketpair()
        self._woken.setblocking(False)
        self._wakes.setblocking(False)
        self.watch(self._woken.fileno(), self.take_signals)

    def watch(self, descriptor: int, callback: Callable[[], None], *, writing: bool = False) -> None:
        """Call back whenever this descriptor can be read, or written too."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        if descriptor in self._selector.get_map():
            self._selector.modify(descriptor, events, callback)
        else:
            self._selector.register(descriptor, events, callback)

    def unwatch(self, descriptor: int) -> None:
        """Call back no more."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(descriptor)

    def later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back once after this time."""
        timer = Timer(time.monotonic() + seconds, next(self._numbers), callback)
        heapq.heappush(self._timers, timer)
        return timer

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Call back, in the loop, after this signal came."""
        self._signals[number] = callback
        # The handler does nothing: its being there makes the interpreter write the number to the wake-up descriptor.
        signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)

    def take_signals(self) -> None:
        """Call back for the signals that came."""
        with contextlib.suppress(BlockingIOError):
            for number in set(self._woken.recv(4096)):
                if number in self._signals:
                    self._signals[number]()

    def stop(self) -> None:
        """Leave `run` after this round."""
        self._running = False

    def run(self, after_each_round: Callable[[], None]) -> None:
        """Wait and call back until `stop`."""
        while self._running:
            for key, _ in self._selector.select(self._timeout()):
                # A callback before this one may have ended the watch.
                if self._selector.get_map().get(key.fd) is key:
                    attempt(key.data)
            self._call_timers()
            attempt(after_each_round)

    def close(self) -> None:
        """Let go of the signals and the loop's own descriptors."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._woken.close()
        self._wakes.close()

    def _timeout(self) -> float | None:
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return min(max(0.0, self._timers[0].when - time.monotonic()), _LONGEST_WAIT)

    def _call_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0].when <= now:
            timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                attempt(timer.callback)


def attempt(callback: Callable[[], None]) -> None:
    """Call, and write a fault down: what comes after it is done all the same."""
    try:
        callback()
    except Exception:
        note(f"internal error, going on: {traceback.format_exc()}")
