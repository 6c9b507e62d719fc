"""Run the hub: under the supervisor, or in a terminal."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys

from setproctitle import setproctitle

from descartes_core.errors import DescartesError, Unavailable
from descartes_core.ids import HUB_ID
from descartes_core.kept import HANDED_ON
from descartes_local.home import Home, find_home, make_private
from descartes_local.locks import lock_directory
from descartes_orchestrator.hub.hub import Hub, directory_of
from descartes_orchestrator.hub.keeper import Keeper, notify, start_successor
from descartes_orchestrator.hub.settings import read_settings
from descartes_orchestrator.supervisor.journal import JOURNAL, note
from descartes_orchestrator.supervisor.start import python

_TITLE = "descartes-hub"
_FIRST = 3
#: The one that goes lets go of its lock before the next is asked for; beyond this it is another one.
_PATIENCE = 5.0
_BACKLOG = 128


def main() -> int:
    """Run until asked to end; return the exit status."""
    home = find_home()
    is_kept = os.environ.pop("LISTEN_FDS", None) is not None
    try:
        home.make()
        if is_kept:
            JOURNAL.path = home.log / "hub.log"
        return _run(home, is_kept=is_kept)
    except DescartesError as error:
        note(f"the hub does not run: {error}")
        return error.exit


def _run(home: Home, *, is_kept: bool) -> int:
    setproctitle(_TITLE)
    _raise_descriptor_limit()
    settings = read_settings(home)
    make_private(directory_of(home))
    lock = lock_directory(directory_of(home), patience=_PATIENCE if is_kept else 0.0)
    with socket.socket(fileno=_FIRST) if is_kept else _listening(home) as listener:
        hub = Hub(home, settings, listener)
        follows = False

        def succeed() -> None:
            nonlocal follows
            follows = True
            hub.stop()

        keeper = Keeper(hub.loop, home, succeed)
        note(f"hub {os.getpid()} listens at {hub.endpoint}")
        notify("READY=1")
        if is_kept and os.environ.get("DESCARTES_SUPERVISOR"):
            hub.loop.later(0.0, keeper.watch)
        hub.run(lambda number: hub.leave(HANDED_ON if number == signal.SIGUSR1 else 0))
        notify("STOPPING=1")
        keeper.close()
        hub.close()
    if not is_kept:
        home.daemon_socket(HUB_ID).unlink(missing_ok=True)
    if lock is not None:
        os.close(lock)
    note(f"hub {os.getpid()} ends")
    return _be_followed(home) if follows else hub.status


def _be_followed(home: Home) -> int:
    """Have the next supervisor start the next hub; where it does not, go on alone."""
    try:
        start_successor(home)
    except DescartesError as error:
        note(f"the next hub does not begin: {error}; this one goes on alone")
        command = python("descartes_orchestrator.hub")
        os.execv(command[0], command)
    return 0


def _listening(home: Home) -> socket.socket:
    path = home.daemon_socket(HUB_ID)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.unlink(missing_ok=True)  # whoever lives holds the lock
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise Unavailable(f"cannot listen at {path}: {error.strerror or error}") from error
    return listener


def _raise_descriptor_limit() -> None:
    """Let each peer have its connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        note(f"the limit of open files stays at {soft}: {error}")


if __name__ == "__main__":
    sys.exit(main())
