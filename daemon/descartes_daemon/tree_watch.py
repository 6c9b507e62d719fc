"""Hear of what is written where a tree of tasks may lie."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from descartes_local.inotify import (
    CLOSE_WRITE,
    CREATE,
    DELETE,
    IGNORED,
    MODIFY,
    MOVED_FROM,
    MOVED_TO,
    ONLYDIR,
    OVERFLOW,
    Inotify,
    Told,
)

#: Where a tree may lie, of the newest SCUD first.
PLACES = (".scud/tasks/tasks.scg", ".scud/tasks/tasks.json", ".taskmaster/tasks/tasks.json")
GRAPH = PLACES[0]
#: What `sessions create` writes into the JSON, and what else says nothing, has no more bytes.
EMPTY_JSON = 4
#: In `.scud`: that its directory of tasks is there now.
COMES = CREATE | MOVED_TO
_DIRECTORIES = tuple(dict.fromkeys(place.rpartition("/")[0] for place in PLACES))
_NAMES = frozenset(os.fsencode(place.rpartition("/")[2]) for place in PLACES)
#: A link has only been made: nobody closes it.
_BEGUN = MODIFY | CREATE
_MASK = _BEGUN | CLOSE_WRITE | MOVED_TO | MOVED_FROM | DELETE


def may_have_tasks(workspace: Path) -> bool:
    """Say whether there may be a tree with tasks; it is not opened."""
    for place in PLACES:
        with contextlib.suppress(OSError):
            if os.stat(workspace / place).st_size > (0 if place == GRAPH else EMPTY_JSON):
                return True
    return False


class TreeWatch:
    """The watches of those directories; whoever has the descriptor tells it what it hears."""

    def __init__(self) -> None:
        #: Told that something has changed, and whether its writer has closed it.
        self.on_change: Callable[[bool], None] = lambda _is_written: None
        self._numbers: set[int] = set()

    def look_out(self, inotify: Inotify, workspace: Path) -> None:
        """Let the kernel tell of the directories that are there now."""
        before, self._numbers = self._numbers, set()
        for directory in _DIRECTORIES:
            with contextlib.suppress(OSError):  # it is not there, or no more can be watched: then calls look
                self._numbers.add(inotify.add(workspace / directory, _MASK | ONLYDIR))
        for number in before - self._numbers:
            with contextlib.suppress(OSError):  # it went with its directory
                inotify.remove(number)
        if self._numbers != before:
            self.on_change(True)

    def hear(self, told: Told) -> None:
        """Take what the kernel told of any directory."""
        if told.mask & OVERFLOW:
            self.on_change(True)
        elif told.number in self._numbers:
            if told.mask & IGNORED:
                self._numbers.discard(told.number)
                self.on_change(True)
            elif told.name in _NAMES:
                self.on_change(not told.mask & _BEGUN)
