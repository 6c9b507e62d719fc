"""Let a child write what might take for ever: a disk may hang."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection

from descartes_local.processes import is_alive, process_of, send_signal, stat_of
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop
from descartes_orchestrator.supervisor.start import reset_signals
from descartes_orchestrator.supervisor.vigil import Vigil

#: A disk that takes longer hangs, and whoever needs the file later puts it right.
_BOUND = 2.0
_FIRST, _HIGHEST = 3, 2**31 - 1


class Scribe:
    """Has children of its own; each writes one thing, and ends."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._pids: set[int] = set()

    @property
    def pids(self) -> set[int]:
        """The children that write, or hang."""
        self._pids = {pid for pid in self._pids if (found := stat_of(pid)) and found.parent == os.getpid()}
        return set(self._pids)

    def write(self, what: str, write: Callable[[], None], keeps: Collection[int], then: Callable[[], None]) -> None:
        """Write beside everything else, with no descriptors but these; call back when it is done, or given up."""
        if sys.platform != "linux":  # nobody tells us there of the end of a child
            write()
            self._loop.later(0.0, then)
            return
        try:
            pid = _begin(write, keeps)
        except OSError as error:
            note(f"{what} is not written: {error}")
            self._loop.later(0.0, then)
            return
        child = process_of(pid)
        assert child is not None, "nobody has reaped it yet"
        self._pids.add(pid)

        def over() -> None:
            if is_alive(child):
                note(f"{what} is not written within {_BOUND:g} s: its disk hangs")
                send_signal(child, signal.SIGKILL)
            then()

        if Vigil(self._loop, {child}, _BOUND, over).is_over:  # no descriptor is free to watch it by
            self._loop.later(_BOUND, over)


def _begin(write: Callable[[], None], keeps: Collection[int]) -> int:
    # A signal that reached the child before it has shed our handlers would wake our own loop.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _do(write, keeps)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _do(write: Callable[[], None], keeps: Collection[int]) -> None:
    """Write, in this child; it never returns."""
    try:
        reset_signals()
        first = _FIRST
        # It may outlive us: nobody's terminal is to live on in it.
        for descriptor in sorted(keeps):
            os.closerange(first, descriptor)
            first = descriptor + 1
        os.closerange(first, _HIGHEST)
        write()
    except BaseException as error:
        note(f"cannot be written: {error!r}")
    finally:
        # Nothing of the parent's stack may run in the child, whatever happened.
        os._exit(0)
