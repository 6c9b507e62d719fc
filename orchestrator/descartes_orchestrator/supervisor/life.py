"""One session's life: causes in, effects done.

Of what becomes of daemons this is the only caller of session_life.move.
"""

from __future__ import annotations

import random
import signal
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from descartes_core.errors import DaemonStartFailed, DeadlineOver, DescartesError
from descartes_core.restart import Deaths
from descartes_core.session_life import Cause, Effect, State, move
from descartes_orchestrator.supervisor.daemon import start_daemon
from descartes_orchestrator.supervisor.house import House, Wanted
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Timer
from descartes_orchestrator.supervisor.recording import write_state
from descartes_orchestrator.supervisor.replacing import Replacing
from descartes_orchestrator.supervisor.standing import Standing


class Life(Standing):
    """What is done about what happened."""

    def __init__(self, wanted: Wanted, house: House, on_notice: Callable[[], None]) -> None:
        super().__init__(wanted, house, on_notice, self._tell, self._kill)
        self._house = house
        #: The one thing that is waited for: READY, the next try, the end after TERM or KILL.
        self._timer: Timer | None = None
        #: Before the next try, and between TERM and KILL.
        self._pause, self._grace = 0.0, house.numbers.stop_grace
        self._effects = {
            Effect.START: self._start,
            Effect.START_LATER: self._start_later,
            Effect.ASK_TO_END: self._ask_to_end,
            Effect.KILL: self._kill,
            Effect.LET_GO: self.rest.forget,
            Effect.TELL: self._tell,
        }

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

    def _close_up(self) -> None:
        self.belongings.shut()
        if self.writing is not None:
            return  # who closes up looks again
        self.writing = self.state
        lock = self.belongings.keeping.workspace_lock
        self._house.scribe.write(
            f"session.json of {self.wanted.path}",
            partial(write_state, Path(self.wanted.path), self.id, self.state, holds_lock=lock is not None),
            () if lock is None else (lock,),
            self._closed_up,
        )

    def _closed_up(self) -> None:
        written, self.writing = self.writing, None
        if not self.rest.is_over:
            return  # more is ended meanwhile: whoever waits for that goes on
        if written is not self.state:
            self._close_up()
            return
        keeping = self.belongings.keeping
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

    def _arm(self, seconds: float, callback: Callable[[], None]) -> None:
        self._disarm()
        self._timer = self._house.loop.later(seconds, callback)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
