"""The supervisor's side of its fork server: started, asked, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from descartes_local.processes import stat_of
from descartes_orchestrator.fork_server.wire import CHANNEL, Garbled, Request, receive_answer, send_request
from descartes_orchestrator.supervisor.start import Start, start

#: A daemon is forked within some milliseconds, and is worth waiting for while the code is loaded; whoever else waits
#: for the supervisor waits as long, and daemons take 5 s for a refusal.
PATIENCE = 3.0


class ForkServer:
    """One process that forks daemons."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start it.

        Raises:
            OSError: no process can be made.

        """
        ours, theirs = socket.socketpair()
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            self.pid = start(Start(command, environment, [(CHANNEL, theirs.fileno())], log))
            self._pidfd = os.pidfd_open(self.pid)
            undo.pop_all()
        self.channel = ours
        self.channel.settimeout(PATIENCE)
        self.started_at = time.monotonic()
        self.ready_at: float | None = None
        #: The state of the code it has loaded; None until it is ready.
        self.stamp: str | None = None
        #: A daemon that it forked has been ready.
        self.is_proven = False

    def wait_ready(self) -> bool:
        """Wait for a while until it has loaded a daemon's code; False when it still has not.

        Raises:
            Garbled: it will never be.

        """
        if self.ready_at is None:
            try:
                self.stamp = str(self._answer().get("stamp"))
            except TimeoutError:
                return False
            self.ready_at = time.monotonic()
        return True

    def fork(self, request: Request) -> int:
        """Return the pid of a daemon, which is our child, and waits for the word.

        Raises:
            TimeoutError: it does not answer.
            OSError: there is no room for another process.
            Garbled: it answers nonsense, or has ended.

        """
        try:
            send_request(self.channel, request)
        except TimeoutError:
            raise
        except OSError as error:
            raise Garbled(f"it cannot be asked: {error}") from error
        answer = self._answer()
        if "error" in answer:
            raise OSError(str(answer["error"]))
        pid = answer.get("pid")
        if type(pid) is not int or pid <= 0:
            raise Garbled("it tells no pid")
        found = stat_of(pid)
        if found is None or found.parent != os.getpid():
            raise Garbled(f"it tells of {pid}, which is no child of ours")
        return pid

    def end(self) -> None:
        """Kill it: it holds nothing. It is reaped like any child of ours."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.close(self._pidfd)
        self.channel.close()

    def _answer(self) -> dict[str, object]:
        try:
            return receive_answer(self.channel)
        except TimeoutError:
            raise
        except OSError as error:
            raise Garbled(f"it ended: {error}") from error
