"""Wait until killed processes are gone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable

from descartes_local.processes import Process, process_of
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop


class Vigil:
    """Calls back once all are gone, or after the bound; not at all when they were gone at the beginning."""

    def __init__(self, loop: Loop, processes: Iterable[Process], bound: float, callback: Callable[[], None]) -> None:
        self._loop, self._callback = loop, callback
        self._watched = _open_all(processes)
        for descriptor in self._watched:
            loop.watch(descriptor, lambda descriptor=descriptor: self._gone(descriptor))  # type: ignore[misc]
        self._bound = loop.later(bound, self._give_up) if self._watched else None

    @property
    def is_over(self) -> bool:
        """Whether nobody is waited for any more."""
        return not self._watched

    def _gone(self, descriptor: int) -> None:
        self._loop.unwatch(descriptor)
        os.close(descriptor)
        del self._watched[descriptor]
        if not self._watched:
            self._finish()

    def _give_up(self) -> None:
        note(f"not gone in time: {', '.join(str(process.pid) for process in self._watched.values())}")
        for descriptor in list(self._watched):
            self._loop.unwatch(descriptor)
            os.close(descriptor)
        self._watched.clear()
        self._finish()

    def _finish(self) -> None:
        if self._bound is not None:
            self._bound.cancel()
        self._callback()


def _open_all(processes: Iterable[Process]) -> dict[int, Process]:
    opened: dict[int, Process] = {}
    if sys.platform != "linux":
        return opened
    for process in processes:
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:
            continue
        if process_of(process.pid) == process:
            opened[descriptor] = process
        else:
            os.close(descriptor)
    return opened
