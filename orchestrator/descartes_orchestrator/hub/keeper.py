"""The hub's supervisor: told how we are, watched, and followed by the next one."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

from descartes_core.errors import DescartesError
from descartes_core.ids import HUB_ID
from descartes_local import supervisor_client
from descartes_local.home import Home
from descartes_local.rpc_client import Connection
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop

#: Seconds until the next try to find a supervisor where none could be started.
_AGAIN = 10.0
#: What configures a hub, and must reach the next one too.
_OURS = "DESCARTES_HUB__"


def wanted(home: Home) -> dict[str, object]:
    """Return what a supervisor is asked to start: a hub like this one."""
    environment = {name: text for name, text in os.environ.items() if name.startswith(_OURS)}
    return {"id": HUB_ID, "name": "hub", "path": str(home.path), "env": environment}


def notify(*lines: str) -> None:
    """Tell whoever started us how we are, by systemd's protocol; nobody where nobody asked."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.setblocking(False)
        told.sendto("\n".join(lines).encode(), f"\0{path[1:]}" if path.startswith("@") else path)


class Keeper:
    """One idle connection, by whose end we notice the supervisor's."""

    def __init__(self, loop: Loop, home: Home, on_successor: Callable[[], None]) -> None:
        self._loop, self._home, self._on_successor = loop, home, on_successor
        self._connection: Connection | None = None

    def watch(self) -> None:
        """Begin."""
        try:
            connection = supervisor_client.connect(self._home)
            known = connection is not None and connection.call("serving", {"id": HUB_ID})["known"]
        except DescartesError as error:
            note(f"the supervisor does not answer: {error}")
            connection, known = None, False
        if connection is not None and known:
            self._connection = connection
            self._loop.watch(connection.socket.fileno(), self._ended)
        else:
            if connection is not None:
                connection.close()
            # Who started us died as we began: commands that find us would start no other one.
            self._loop.later(0.0, self._look_for_next)

    def close(self) -> None:
        """Watch no more."""
        if self._connection is not None:
            self._loop.unwatch(self._connection.socket.fileno())
            self._connection.close()
            self._connection = None

    def _ended(self) -> None:
        note("the supervisor has ended: the next one is to start another hub")
        self.close()
        self._look_for_next()

    def _look_for_next(self) -> None:
        try:
            supervisor_client.ensure(self._home).close()
        except DescartesError as error:
            note(f"no supervisor yet: {error}")
            self._loop.later(_AGAIN, self._look_for_next)
            return
        self._on_successor()


def start_successor(home: Home) -> None:
    """Have the supervisor start another hub; everything of ours is let go of before.

    Raises:
        DescartesError: it does not; nobody serves then.

    """
    with supervisor_client.ensure(home) as supervisor:
        supervisor.call("start", wanted(home))
