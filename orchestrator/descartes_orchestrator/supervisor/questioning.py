"""Ask a daemon that somebody suspects whether it is there, once; one that is not hangs.

Any answer is one, however late: what is asked is only whether its loop still turns. The time counts from when it could
have been heard, and only as far as the daemon had a processor: on a machine that is overloaded, or stood still as a
whole, nobody is taken for dead.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Callable

from descartes_core.jsonrpc import request
from descartes_orchestrator.supervisor.connections import Answer
from descartes_orchestrator.supervisor.daemon import Daemon
from descartes_orchestrator.supervisor.house import House
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Timer

#: No daemon knows it, so every one answers at once, whatever its store and its disk are doing.
_QUESTION = request("system.are_you_there", {}, 1)
#: The time is counted in so many pieces; of one that took longer only so much counts.
_PIECES = 20
_NS = 1e9


class Questioning:
    """One question at a time; whoever suspects meanwhile hears the same verdict.

    A verdict is one of: `well` (it answers), `killed` (it did not), `full` (nobody could ask it), `gone` (it ended
    meanwhile), and `unknown`, where it is not asked: it is starting, ending, or not to be killed.
    """

    def __init__(self, house: House, session: str, kill: Callable[[], None]) -> None:
        self._house, self._session, self._kill = house, session, kill
        self._answers: list[Answer] = []
        self._question: _Question | None = None
        #: The pid that was killed, and after how many seconds; for the next daemon, which writes it down.
        self._killed: tuple[int, float] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nobody is asked, and none that was killed for its silence has still to be told of."""
        return self._question is None and self._killed is None

    def ask(self, daemon: Daemon | None, answer: Answer) -> None:
        """Ask, and answer with the verdict; nobody where there is no daemon to be judged."""
        deadline = self._house.numbers.hang_deadline
        if daemon is None or deadline <= 0:
            answer.give({"verdict": "unknown"})
            return
        self._answers.append(answer)
        if self._question is None:
            path = str(self._house.home.daemon_socket(self._session))
            self._question = _Question(self._house, path, daemon.pid, lambda verdict: self._over(verdict, daemon))

    def forget(self) -> None:
        """Hear that the daemon has ended."""
        if self._question is not None:
            self._question.close()
        self._give("gone")

    def news(self) -> dict[str, str]:
        """Return, once, what the next daemon is to be told, as variables."""
        killed, self._killed = self._killed, None
        return {} if killed is None else {"DESCARTES_HUNG": f"{killed[0]} {killed[1]:g}"}

    def _over(self, verdict: str, daemon: Daemon) -> None:
        if verdict == "killed":
            deadline = self._house.numbers.hang_deadline
            note(f"session {self._session}: daemon {daemon.pid} did not answer for {deadline:g} s: it is killed")
            self._killed = daemon.pid, deadline
        self._give(verdict)
        if verdict == "killed":
            self._kill()

    def _give(self, verdict: str) -> None:
        self._question = None
        answers, self._answers = self._answers, []
        for answer in answers:
            answer.give({"verdict": verdict, "deadline": self._house.numbers.hang_deadline})


class _Question:
    """One connection, one line, and the time since."""

    def __init__(self, house: House, path: str, pid: int, verdict: Callable[[str], None]) -> None:
        self._loop, self._path, self._pid, self._verdict = house.loop, path, pid, verdict
        self._deadline = house.numbers.hang_deadline
        self._connection: socket.socket | None = None
        self._timer: Timer | None = None
        #: How long it could not be asked, and how long it did not answer.
        self._shut_out = self._silent = 0.0
        self._tick()

    def close(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._connection is not None:
            self._loop.unwatch(self._connection.fileno())
            self._connection.close()
            self._connection = None

    def _tick(self) -> None:
        if self._connection is None:
            self._connect()
        self._looked, self._starved = time.monotonic(), _starved(self._pid)
        self._timer = self._loop.later(self._deadline / _PIECES, self._count)

    def _count(self) -> None:
        passed = min(time.monotonic() - self._looked, self._deadline / _PIECES)
        if self._connection is None:
            self._shut_out += passed
        else:
            self._silent += max(0.0, passed - (_starved(self._pid) - self._starved))
        if self._silent >= self._deadline * 0.999:
            self._end("killed")
        elif self._shut_out >= self._deadline:
            self._end("full")
        else:
            self._tick()

    def _connect(self) -> None:
        """Connect; while its backlog is full, with strangers or with those who wait, nobody can."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        if connection.connect_ex(self._path) not in (0, errno.EISCONN):
            connection.close()
            return
        with contextlib.suppress(OSError):  # it has closed the connection already, which will be heard
            connection.send(_QUESTION)
        self._connection = connection
        self._loop.watch(connection.fileno(), self._heard)

    def _heard(self) -> None:
        """Hear it, or that it has closed the connection: either way its loop turns."""
        self._end("well")

    def _end(self, verdict: str) -> None:
        self.close()
        self._verdict(verdict)


def _starved(pid: int) -> float:
    """Return for how many seconds a process was ready to run, and had no processor; 0 where nobody tells."""
    try:
        with open(f"/proc/{pid}/schedstat", "rb") as file:
            return int(file.read().split()[1]) / _NS
    except (OSError, ValueError, IndexError):
        return 0.0
