"""What callers ask of a session."""

from __future__ import annotations

import time

from descartes_core.errors import Conflict, DaemonStartFailed, Unavailable
from descartes_core.session_life import Cause, State
from descartes_orchestrator.supervisor.connections import Answer
from descartes_orchestrator.supervisor.house import Wanted
from descartes_orchestrator.supervisor.serving import Serving


class Session(Serving):
    """A workspace's daemon, now or later, and all that is held for it."""

    def ask_start(self, wanted: Wanted, answer: Answer) -> None:
        """Start, and answer when it is ready; who asks during an ending gets a new start after it."""
        if self.is_stuck:
            raise Unavailable(f"{self.failure}")
        if self.is_served and not self.is_leaving:
            answer.give(self.whereabouts)
            return
        self.callers.wait_for_start(answer)
        if self.state not in (State.STARTING, State.ACTIVE) or self.is_leaving:
            self.wanted = wanted
        if self.is_free:
            self._begin()

    def ask_stop(self, grace: float | None, answer: Answer) -> None:
        """Stop, let go of everything, and answer when all of it is gone."""
        self.callers.wait_for_stop(answer)
        grace = self._house.numbers.stop_grace if grace is None else grace
        self._grace, self.lets_go = grace, True
        if self.state in (State.STARTING, State.ACTIVE, State.ERROR):
            self.callers.not_started(DaemonStartFailed("the session was stopped while it was starting"))
        if self.state in (State.STARTING, State.ACTIVE):
            self._feed_stop()
        elif self.state is State.STOPPING and self.daemon is not None:
            # Who stops it again may be less patient, never more.
            left = self._timer.when - time.monotonic() if self._timer else grace
            self._arm(max(0.0, min(grace, left)), self._grace_over)
        elif self.state is State.ERROR:
            self.rest.forget()
            self._feed(Cause.STOP_ASKED)
        elif self.rest.is_over:
            self.rest.forget()
            self._tell()

    def ask_restart(self, answer: Answer) -> None:
        """Let the daemon give way to the next one, of the installed code; answer when that one is ready.

        Raises:
            Conflict: there is none that could.

        """
        if self.state not in (State.STARTING, State.ACTIVE) or (self.state is State.ACTIVE and not self.is_served):
            raise Conflict(f"{self.wanted.name} is {self.state}: descartes sessions start {self.wanted.name}")
        self.callers.wait_for_start(answer)
        if self.state is State.ACTIVE and self.daemon is not None and not self.replacing.is_asked:
            self.replacing.ask(self.daemon)
            self._arm(self._house.numbers.stop_grace, self._kill)

    def suspect(self, answer: Answer) -> None:
        """Ask the daemon whether it is there, where that is not under another deadline already."""
        self.questioning.ask(self.daemon if self.is_served and not self.replacing.is_asked else None, answer)
