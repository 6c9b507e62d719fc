"""What happens to a session's daemon, from when it is there to when it has ended."""

from __future__ import annotations

import time

from descartes_core.errors import Conflict, Unavailable
from descartes_core.restart import GiveUp
from descartes_core.session_life import Cause, State
from descartes_local.endings import Ending
from descartes_orchestrator.supervisor.daemon import Daemon
from descartes_orchestrator.supervisor.guard import Guard
from descartes_orchestrator.supervisor.house import House, Wanted
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.life import Life


class Serving(Life):
    """Hears its daemon, and of its end."""

    def __init__(self, wanted: Wanted, house: House) -> None:
        super().__init__(wanted, house, self.hear)
        #: Where the daemon is not our child.
        self._guard: Guard | None = None

    def take_over(self, wanted: Wanted, daemon: Daemon) -> None:
        """Go on with a daemon that an earlier supervisor started; it gives us what it has, and then says so.

        Raises:
            Conflict: something is under way here already.
            Unavailable: it has ended.
            OSError: it cannot be heard.

        """
        if self.daemon is not None and (self.daemon.pid, self.daemon.started) == (daemon.pid, daemon.started):
            return  # it tries again
        if not self.is_free:
            raise Conflict(f"session {self.id} is {self.state} here already")
        self.belongings.listen()
        self.guard(daemon)
        self.wanted, self.daemon = wanted, daemon
        self._begin_anew(was_ready=True)
        self._feed(Cause.HANDED_OVER)
        self._arm(self._house.numbers.ready_deadline, self._never_gave)

    def guard(self, daemon: Daemon) -> None:
        """Notice the end of a daemon that is not our child.

        Raises:
            Unavailable: it has ended.
            OSError: it cannot be watched now.

        """
        self._guard = Guard(self._house.loop, daemon.process, self.daemon_ended)

    def taken_over(self) -> None:
        """Hear that the daemon has given all it has."""
        if self.daemon is not None and not self.daemon.has_given:
            self.daemon.has_given = True
            self._disarm()
        self._tell()

    def _never_gave(self) -> None:
        """Forget a daemon that stands still; killed, it would take along what it has not given."""
        assert self.daemon is not None
        note(f"session {self.id}: daemon {self.daemon.pid} stands still in its hand-over, which is forgotten")
        if self._guard is not None:
            self._guard.close()
        self.callers.not_started(Unavailable(f"the daemon of {self.wanted.name} lives, and stands still: try again"))
        self.daemon = None
        self.belongings.give_back()
        self._feed(Cause.NEVER_GAVE)

    def hear(self) -> None:
        """Take what the daemon has told."""
        for told in self.belongings.hear(self.daemon_pid):
            if self.daemon is None:
                return
            if told.get("STOPPING") == "1":
                self.daemon.is_leaving = True
            if (why := self.replacing.refused(told)) is not None and self.state is State.ACTIVE:
                self._disarm()
                self.callers.not_started(Conflict(f"the daemon of {self.wanted.name} stays: {why}"))
            if told.get("READY") == "1" and self.state is State.STARTING:
                self.daemon.ready_at = time.monotonic()
                self.was_ready = True
                self._house.forks.proved(self.daemon.pid)
                self._disarm()
                self._feed(Cause.READY)

    def daemon_ended(self, ending: Ending) -> None:
        """Hear that the daemon has ended and is reaped."""
        self.hear()
        daemon, self.daemon = self.daemon, None
        assert daemon is not None
        self.questioning.forget()
        self._disarm()
        note(f"session {self.id}: daemon {daemon.pid} ended in {self.state} with {ending}")
        self.is_stuck = False
        if self.state is State.STOPPING:
            self._feed(Cause.ENDED)
        elif self.state in (State.INACTIVE, State.ERROR):
            self._tell()
        elif self.replacing.is_followed(daemon, ending):
            self._pause = 0.0
            self._feed(Cause.ENDED)
        elif not self.was_ready:
            self.failure = daemon.failure(f"ended with {ending} before it was ready")
            self._feed(Cause.GAVE_UP)
        elif daemon.is_leaving or ending.exit_code == 0:
            self._feed_stop()
        else:
            self._died(daemon, ending)

    def _died(self, daemon: Daemon, ending: Ending) -> None:
        now = time.monotonic()
        verdict = self.deaths.add(now=now, ready_for=None if daemon.ready_at is None else now - daemon.ready_at)
        if isinstance(verdict, GiveUp):
            self.failure = daemon.failure(f"ended with {ending} and is not started again: {verdict.reason}")
            self._feed(Cause.GAVE_UP)
        else:
            self._pause = verdict.pause
            self._feed(Cause.ENDED)
