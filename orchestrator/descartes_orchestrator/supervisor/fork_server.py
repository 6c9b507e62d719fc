"""The supervisor's side of its fork server: started, asked, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from descartes_local.processes import stat_of
from descartes_orchestrator.fork_server.wire import CHANNEL, Garbled, Request, receive_answer, send_request
from descartes_orchestrator.supervisor.saving import SavedForkServer
from descartes_orchestrator.supervisor.start import Start, start

#: A daemon is forked within some milliseconds, and is worth waiting for while the code is loaded; whoever else waits
#: for the supervisor waits as long, and daemons take 5 s for a refusal.
PATIENCE = 3.0


class ForkServer:
    """One process that forks daemons."""

    def __init__(self, pid: int, pidfd: int, channel: socket.socket) -> None:
        self.pid, self.pidfd, self.channel = pid, pidfd, channel
        self.channel.settimeout(PATIENCE)
        self.started_at = time.monotonic()
        self.ready_at: float | None = None
        #: The state of the code it has loaded; None until it is ready.
        self.stamp: str | None = None
        #: A daemon that it forked has been ready.
        self.is_proven = False

    @classmethod
    def begin(cls, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Self:
        """Start one.

        Raises:
            OSError: no process can be made.

        """
        pidfd, (ours, theirs) = -1, socket.socketpair()
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            pid = start(Start(command, environment, [(CHANNEL, theirs.fileno())], log))
            if sys.platform == "linux":
                pidfd = os.pidfd_open(pid)
            undo.pop_all()
        return cls(pid, pidfd, ours)

    @classmethod
    def restored(cls, saved: SavedForkServer) -> Self:
        """Return the one that the supervisor before us has proven.

        Raises:
            OSError: its descriptors are not there.

        """
        server = cls(saved.pid, saved.pidfd, socket.socket(fileno=saved.channel))
        server.ready_at, server.stamp, server.is_proven = server.started_at, saved.stamp, True
        return server

    def saved(self) -> SavedForkServer | None:
        """Return it for the supervisor that takes our place; None where it has not shown that it works."""
        if not self.is_proven or self.stamp is None:
            return None
        return SavedForkServer(self.pid, self.pidfd, self.channel.fileno(), self.stamp)

    def wait_ready(self, patience: float = PATIENCE) -> bool:
        """Wait until it has loaded a daemon's code, for a while since its start; False when it still has not.

        Raises:
            Garbled: it will never be.

        """
        if self.ready_at is None:
            self.channel.settimeout(max(0.001, self.started_at + patience - time.monotonic()))
            try:
                self.stamp = str(self._answer().get("stamp"))
            except TimeoutError:
                return False
            finally:
                self.channel.settimeout(PATIENCE)
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
        if not self._has_forked(pid):
            raise Garbled(f"it tells of {pid}, which is no child of ours")
        return pid

    def end(self) -> None:
        """Kill it: it holds nothing. It is reaped like any child of ours."""
        if sys.platform == "linux":
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
            os.close(self.pidfd)
        self.channel.close()

    def _has_forked(self, pid: int) -> bool:
        """Say whether a process is our child, or that of the process in the middle, at whose end it becomes ours."""
        found = stat_of(pid)
        middle = None if found is None else stat_of(found.parent)
        if middle is not None and middle.parent == self.pid:
            return True
        found = stat_of(pid)
        return found is not None and found.parent == os.getpid()

    def _answer(self) -> dict[str, object]:
        try:
            return receive_answer(self.channel)
        except TimeoutError:
            raise
        except OSError as error:
            raise Garbled(f"it ended: {error}") from error
