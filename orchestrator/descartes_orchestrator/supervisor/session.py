"""One session's life: causes in, effects done.

Of what becomes of daemons this is the only caller of session_life.move.
"""

from __future__ import annotations

import random
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from descartes_core.errors import Conflict, DaemonStartFailed, DeadlineOver, DescartesError, Unavailable
from descartes_core.restart import Deaths, GiveUp
from descartes_core.session_life import Cause, Effect, State, move
from descartes_local.endings import Ending
from descartes_orchestrator.supervisor.connections import Answer
from descartes_orchestrator.supervisor.daemon import Daemon, start_daemon
from descartes_orchestrator.supervisor.guard import Guard
from descartes_orchestrator.supervisor.house import House, Wanted
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Timer
from descartes_orchestrator.supervisor.recording import write_state
from descartes_orchestrator.supervisor.replacing import Replacing
from descartes_orchestrator.supervisor.standing import Standing


class Session(Standing):
    """A workspace's daemon, now or later, and all that is held for it."""

    def __init__(self, wanted: Wanted, house: House) -> None:
        super().__init__(wanted, house, self.hear, self._tell, self._kill)
        self._house = house
        #: The one thing that is waited for: READY, the next try, the end after TERM or KILL.
        self._timer: Timer | None = None
        self._pause, self._grace = 0.0, house.numbers.stop_grace
        self._effects = {
            Effect.START: self._start,
            Effect.START_LATER: self._start_later,
            Effect.ASK_TO_END: self._ask_to_end,
            Effect.KILL: self._kill,
            Effect.LET_GO: self.rest.forget,
            Effect.TELL: self._tell,
        }

    # What callers ask.

    def ask_start(self, wanted: Wanted, answer: Answer) -> None:
        """Start, and answer when it is ready; who asks during an ending gets a new start after it."""
        if self.is_stuck:
            raise Unavailable(f"{self.failure}")
        if self.is_served:
            answer.give(self.whereabouts)
            return
        self.callers.wait_for_start(answer)
        if self.state not in (State.STARTING, State.ACTIVE):
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

    def quit(self) -> None:
        """End the daemon because the supervisor ends; agents are not killed."""
        if self.state in (State.STARTING, State.ACTIVE):
            self.callers.not_started(DaemonStartFailed("the supervisor ends"))
            self._feed_stop()

    # What happens to the daemon.

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

    def guard(self, daemon: Daemon) -> None:
        """Notice the end of a daemon that is not our child.

        Raises:
            Unavailable: it has ended.
            OSError: it cannot be watched now.

        """
        Guard(self._house.loop, daemon.process, self.daemon_ended)

    def taken_over(self) -> None:
        """Hear that the daemon has given all it has."""
        if self.daemon is not None:
            self.daemon.has_given = True
        self._tell()

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

    # Causes in.

    def _begin(self) -> None:
        self._begin_anew(was_ready=False)
        self._feed(Cause.START_ASKED)

    def _begin_anew(self, *, was_ready: bool) -> None:
        self.failure, self.was_ready, self.lets_go = None, was_ready, False
        self.replacing = Replacing(self._house.forks)
        self.deaths = Deaths(self._house.numbers.rule)

    def _feed(self, cause: Cause) -> None:
        found = move(self.id, self.state, cause)
        note(f"session {self.id}: {self.state} -> {found.to} ({cause})")
        self.state = found.to
        for effect in found.effects:
            self._effects[effect]()

    def _feed_stop(self) -> None:
        self._feed(Cause.STOP_ASKED)
        if self.state is State.STOPPING and self.daemon is None:
            self._feed(Cause.ENDED)

    def _deadline_over(self) -> None:
        assert self.daemon is not None
        if self._house.forks.may_fall_back(self.daemon.pid):
            self._kill()
            return
        self.failure = self.daemon.failure(f"was not ready within {self._house.numbers.ready_deadline:g} s")
        self._feed(Cause.DEADLINE_OVER)

    def _grace_over(self) -> None:
        self._feed(Cause.GRACE_OVER)

    def _kill_bound_over(self) -> None:
        self.is_stuck = True
        self.failure = DeadlineOver(f"the daemon of {self.wanted.name}, pid {self.daemon_pid}, was killed and stays")
        if self.state is State.STOPPING:
            self._feed(Cause.WOULD_NOT_END)
        else:
            self._tell()

    # Effects.

    def _start(self) -> None:
        self.rest.forget()
        try:
            self.daemon = start_daemon(self._house, self.wanted, self.belongings, self.questioning.news())
        except Exception as error:  # also a fault of ours: who is Starting without a daemon would be so for ever
            if not isinstance(error, DescartesError):
                note(f"session {self.id} cannot be started: {traceback.format_exc()}")
                error = DaemonStartFailed(f"the daemon of {self.wanted.name} cannot be started: {error}")
            self.failure = error
            self._feed(Cause.GAVE_UP)
        else:
            self._arm(self._house.numbers.ready_deadline, self._deadline_over)

    def _start_later(self) -> None:
        self.restarts += 1
        if self._pause == 0.0:
            self._start()
        else:
            # Sessions that die of one thing need not all come back in the same instant.
            self._arm(self._pause * random.uniform(0.75, 1.25), self._start)  # noqa: S311 - no secret

    def _ask_to_end(self) -> None:
        self._disarm()
        if self.daemon is not None:
            self._arm(self._grace, self._grace_over)  # first: whatever becomes of the signals
            if not self.daemon.is_leaving:
                self.daemon.signal(signal.SIGTERM)
                self.daemon.signal(signal.SIGCONT)  # one that was stopped would not hear it

    def _kill(self) -> None:
        if self.daemon is not None:
            self._arm(self._house.numbers.kill_bound, self._kill_bound_over)
            self.daemon.signal(signal.SIGKILL)

    def _tell(self) -> None:
        if self.state is State.ACTIVE and not (self.replacing.is_asked or self.is_stuck):
            self.callers.started(self.whereabouts)
        elif self.daemon is None and self.rest.is_gone(lets_go=self.lets_go):
            self._close_up()
        elif self.is_stuck:
            self._answer_all()

    def _arm(self, seconds: float, callback: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self._house.loop.later(seconds, callback)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_up(self) -> None:
        keeping = self.belongings.keeping
        self.belongings.shut()
        write_state(Path(self.wanted.path), self.id, self.state, holds_lock=keeping.workspace_lock is not None)
        if self.lets_go or not keeping.agents:
            keeping.clear()
        self._house.look()
        self._answer_all()

    def _answer_all(self) -> None:
        self.callers.stopped(self.failure if self.is_stuck else None)
        if self.state is State.ERROR or self.is_stuck:
            self.callers.not_started(self.failure or DaemonStartFailed())
        elif self.callers.want_start:
            self._begin()
