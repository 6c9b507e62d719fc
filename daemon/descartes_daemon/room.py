"""Parts of the daemon that are loaded with the first call that needs them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from descartes_daemon.ground import Ground


class Room:
    """One package; its module `door` has `open_room(ground)`, which returns an object with the methods."""

    def __init__(self, package: str, ground: Ground) -> None:
        self._module, self._ground = f"descartes_daemon.{package}.door", ground
        self._opened: Any = None

    @property
    def is_open(self) -> bool:
        """Whether it was needed yet."""
        return self._opened is not None

    def open(self) -> Any:
        """Return what is in it; loaded now, where it was not before."""
        if self._opened is None:
            self._opened = importlib.import_module(self._module).open_room(self._ground)
        return self._opened

    def method(self, name: str) -> Callable[..., Any]:
        """Return one of its methods, as the dispatcher calls it, without opening it."""
        return lambda *arguments: getattr(self.open(), name)(*arguments)

    async def close(self) -> None:
        """End what was opened, where it has a `close`."""
        opened, self._opened = self._opened, None
        if opened is not None and hasattr(opened, "close"):
            await opened.close()


class Rooms:
    """The rooms of what is known; none is loaded before it is needed."""

    def __init__(self, ground: Ground) -> None:
        self.tasks = Room("tasks", ground)
        self.state = Room("state", ground)
        self.hooks = Room("hooks", ground)
        self.search = Room("search", ground)
        self.recordings = Room("recordings", ground)
        self.transfer = Room("transfer", ground)

    async def close(self) -> None:
        """End what was opened."""
        for room in (self.tasks, self.state, self.hooks, self.search, self.recordings, self.transfer):
            await room.close()
