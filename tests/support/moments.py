"""The harness of `descartes_local.probe`: wait for a named moment, or hold it."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(eq=False, slots=True)
class Visit:
    """One process that came to one moment."""

    pid: int
    moment: str
    connection: socket.socket
    #: Somebody has waited for it already.
    seen: bool = False

    def release(self) -> None:
        """Let the process go on; it may have been killed meanwhile."""
        with contextlib.suppress(OSError):
            self.connection.sendall(b".")
        self.connection.close()


class Held:
    """A moment at which every process stands still until `release`."""

    def __init__(self, moments: Moments, moment: str) -> None:
        self._moments, self._moment = moments, moment

    def wait(self, deadline: float = 20.0) -> int:
        """Wait until a process stands there and return its pid."""
        return self._moments.wait_for(self._moment, deadline)

    def release(self) -> None:
        """Let all go on, and hold nobody there any more."""
        self._moments.let_go(self._moment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Moments:
    """A Unix socket that programs with DESCARTES_PROBE call at their named moments."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._visits: list[Visit] = []
        self._held: set[str] = set()
        self._changed = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(128)
        self._thread = threading.Thread(target=self._accept, name="moments", daemon=True)
        self._thread.start()

    def hold(self, moment: str) -> Held:
        """Make every process stand still at a moment, from now on."""
        with self._changed:
            self._held.add(moment)
        return Held(self, moment)

    def wait_for(self, moment: str, deadline: float = 20.0) -> int:
        """Wait for a visit nobody has waited for yet, and return the pid of the visitor."""
        with self._changed:
            visit = self._changed.wait_for(lambda: self._next(moment), deadline)
            if visit is None:
                seen = ", ".join(visit.moment for visit in self._visits) or "nothing"
                raise AssertionError(f"{moment} was not reached within {deadline:g} s; reached: {seen}")
            visit.seen = True
            return visit.pid

    def let_go(self, moment: str) -> None:
        """Hold nobody at a moment any more."""
        with self._changed:
            self._held.discard(moment)
            for visit in self._visits:
                if visit.moment == moment:
                    visit.release()

    def close(self) -> None:
        """Let everybody go on, for ever."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.path.unlink(missing_ok=True)
        for visit in self._visits:
            visit.release()

    def _next(self, moment: str) -> Visit | None:
        return next((visit for visit in self._visits if visit.moment == moment and not visit.seen), None)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        # The line comes at once in one write of a local program, which then waits for us.
        connection.settimeout(5)
        try:
            line = connection.recv(1000).decode()
        except OSError:
            line = ""
        if not line.endswith("\n"):
            connection.close()
            return
        pid, _, moment = line.strip().partition(" ")
        visit = Visit(int(pid), moment, connection)
        with self._changed:
            self._visits.append(visit)
            if moment not in self._held:
                visit.release()
            self._changed.notify_all()
