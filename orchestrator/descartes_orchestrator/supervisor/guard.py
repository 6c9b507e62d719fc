"""Notice the end of a daemon that is somebody else's child."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

from descartes_core.errors import Unavailable
from descartes_local.endings import UNKNOWN, Ending, ending_by_pidfd
from descartes_local.processes import Process, process_of
from descartes_orchestrator.supervisor.loop import Loop


class Guard:
    """Watches one process, and calls back once."""

    _pidfd: int

    def __init__(self, loop: Loop, process: Process, on_end: Callable[[Ending], None]) -> None:
        """Begin.

        Raises:
            Unavailable: it has ended already, or this system has no descriptors of processes.
            OSError: it cannot be watched now, which does not mean that it has ended.

        """
        self._loop, self._on_end = loop, on_end
        if sys.platform != "linux":
            raise Unavailable("this system tells nobody but its parent of a daemon's end")
        with contextlib.ExitStack() as undo:
            try:
                self._pidfd = os.pidfd_open(process.pid)
                undo.callback(os.close, self._pidfd)
                is_there = process_of(process.pid) == process
            except ProcessLookupError:
                is_there = False
            if not is_there:
                raise Unavailable(f"daemon {process.pid} has ended")
            undo.pop_all()
        loop.watch(self._pidfd, self._ended)

    def close(self) -> None:
        """Watch no more."""
        self._loop.unwatch(self._pidfd)
        os.close(self._pidfd)

    def _ended(self) -> None:
        ending = ending_by_pidfd(self._pidfd)
        self.close()
        self._on_end(ending or UNKNOWN)
