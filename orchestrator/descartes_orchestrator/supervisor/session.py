"""One session's life: causes in, effects done.

Of what becomes of daemons this is the only caller of session_life.move.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from descartes_core.errors import DaemonStartFailed, DeadlineOver, DescartesError, Unavailable
from descartes_core.restart import Deaths, GiveUp
from descartes_core.session_life import Cause, Effect, State, move
from descartes_local.endings import Ending
from descartes_local.processes import Process
from descartes_orchestrator.supervisor.belongings import Belongings
from descartes_orchestrator.supervisor.callers import Callers
from descartes_orchestrator.supervisor.connections import Answer
from descartes_orchestrator.supervisor.daemon import Daemon, start_daemon
from descartes_orchestrator.supervisor.house import House, Wanted
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Timer
from descartes_orchestrator.supervisor.recording import write_state
from descartes_orchestrator.supervisor.vigil import Vigil


class Session:
    """A workspace's daemon, now or later, and all that is held for it."""

    def __init__(self, wanted: Wanted, house: House) -> None:
        self.wanted, self.state = wanted, State.INACTIVE
        self.restarts = 0
        self.failure: DescartesError | None = None
        self.daemon: Daemon | None = None
        self.belongings = Belongings(house, wanted.id, self.hear)
        self._house, self.deaths = house, Deaths(house.numbers.rule)
        self.was_ready = False
        #: The one thing that is waited for: READY, the next try, the end after TERM or KILL.
        self._timer: Timer | None = None
        self._pause, self._grace = 0.0, house.numbers.stop_grace
        self._callers = Callers()
        #: Everything is let go, living agents too.
        self.lets_go = False
        #: The daemon was killed and is still there.
        self.is_stuck = False
        self._rest: Vigil | None = None
        self._effects = {
            Effect.START: self._start,
            Effect.START_LATER: self._start_later,
            Effect.ASK_TO_END: self._ask_to_end,
            Effect.KILL: self._kill,
            Effect.LET_GO: self._let_go,
            Effect.TELL: self._tell,
        }

    @property
    def id(self) -> str:
        """The session's id."""
        return self.wanted.id

    @property
    def daemon_pid(self) -> int | None:
        """The daemon's pid while it has not been reaped."""
        return self.daemon.pid if self.daemon else None

    @property
    def leaders(self) -> set[Process]:
        """The agents' processes that are in keeping."""
        return self.belongings.keeping.leaders

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is held, done or waited for."""
        is_over = self._rest is None or self._rest.is_over
        is_idle = self.state in (State.INACTIVE, State.ERROR) and self.daemon is None and is_over
        return is_idle and not len(self.belongings.keeping) and not self._callers

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way: all there is to know is in fields that can be written down."""
        is_over = self._rest is None or self._rest.is_over
        is_still = self.state is State.ACTIVE or self.daemon is None or self.is_stuck
        return self.state not in (State.STARTING, State.STOPPING) and is_still and is_over and not self._callers

    # What callers ask.

    def ask_start(self, wanted: Wanted, answer: Answer) -> None:
        """Start, and answer when it is ready; who asks during an ending gets a new start after it."""
        if self.state is State.ACTIVE:
            answer.give(self._whereabouts())
            return
        if self.is_stuck:
            raise Unavailable(f"{self.failure}")
        self._callers.wait_for_start(answer)
        if self.state is not State.STARTING:
            self.wanted = wanted
        if self.state in (State.INACTIVE, State.ERROR) and (self._rest is None or self._rest.is_over):
            self._begin()

    def ask_stop(self, grace: float | None, answer: Answer) -> None:
        """Stop, let go of everything, and answer when all of it is gone."""
        self._callers.wait_for_stop(answer)
        grace = self._house.numbers.stop_grace if grace is None else grace
        self._grace, self.lets_go = grace, True
        if self.state in (State.STARTING, State.ACTIVE):
            self._callers.not_started(DaemonStartFailed("the session was stopped while it was starting"))
            self._feed(Cause.STOP_ASKED)
            self._feed_ended_without_daemon()
        elif self.state is State.STOPPING and self.daemon is not None:
            # Who stops it again may be less patient, never more.
            left = self._timer.when - time.monotonic() if self._timer else grace
            self._arm(max(0.0, min(grace, left)), self._grace_over)
        elif self.state is State.ERROR:
            self._rest = None
            self._feed(Cause.STOP_ASKED)
        elif self._rest is None or self._rest.is_over:
            self._rest = None
            self._tell()

    def quit(self) -> None:
        """End the daemon because the supervisor ends; agents are not killed."""
        if self.state in (State.STARTING, State.ACTIVE):
            self._callers.not_started(DaemonStartFailed("the supervisor ends"))
            self._feed(Cause.STOP_ASKED)
            self._feed_ended_without_daemon()

    # What happens to the daemon.

    def hear(self) -> None:
        """Take what the daemon has told."""
        for told in self.belongings.hear(self.daemon_pid):
            if self.daemon is None:
                return
            if told.get("STOPPING") == "1":
                self.daemon.is_leaving = True
            if told.get("READY") == "1" and self.state is State.STARTING:
                self.daemon.ready_at = time.monotonic()
                self.was_ready = True
                self._disarm()
                self._feed(Cause.READY)

    def daemon_ended(self, ending: Ending) -> None:
        """Hear that the daemon has ended and is reaped."""
        self.hear()
        daemon, self.daemon = self.daemon, None
        assert daemon is not None
        self._disarm()
        note(f"session {self.id}: daemon {daemon.pid} ended in {self.state} with {ending}")
        self.is_stuck = False
        if self.state is State.STOPPING:
            self._feed(Cause.ENDED)
        elif self.state in (State.INACTIVE, State.ERROR):
            self._tell()
        elif not self.was_ready:
            self.failure = daemon.failure(f"ended with {ending} before it was ready")
            self._feed(Cause.GAVE_UP)
        elif daemon.is_leaving or ending.exit_code == 0:
            self._feed(Cause.STOP_ASKED)
            self._feed_ended_without_daemon()
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
        self.failure, self.was_ready, self.lets_go = None, False, False
        self.deaths = Deaths(self._house.numbers.rule)
        self._feed(Cause.START_ASKED)

    def _feed(self, cause: Cause) -> None:
        found = move(self.id, self.state, cause)
        note(f"session {self.id}: {self.state} -> {found.to} ({cause})")
        self.state = found.to
        for effect in found.effects:
            self._effects[effect]()

    def _feed_ended_without_daemon(self) -> None:
        if self.state is State.STOPPING and self.daemon is None:
            self._feed(Cause.ENDED)

    def _deadline_over(self) -> None:
        assert self.daemon is not None
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
        self._rest = None
        try:
            self.daemon = start_daemon(self._house, self.wanted, self.belongings)
        except DescartesError as error:
            self.failure = error
            self._feed(Cause.GAVE_UP)
        except OSError as error:
            self.failure = DaemonStartFailed(f"the daemon of {self.wanted.name} cannot be started: {error}")
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
            if not self.daemon.is_leaving:
                self.daemon.signal(signal.SIGTERM)
                self.daemon.signal(signal.SIGCONT)  # one that was stopped would not hear it
            self._arm(self._grace, self._grace_over)

    def _kill(self) -> None:
        if self.daemon is not None:
            self.daemon.signal(signal.SIGKILL)
            self._arm(self._house.numbers.kill_bound, self._kill_bound_over)

    def _let_go(self) -> None:
        self._rest = None

    def _tell(self) -> None:
        if self.state is State.ACTIVE:
            self._callers.started(self._whereabouts())
        elif self.daemon is None and self._rest_is_gone():
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

    # The end.

    def _rest_is_gone(self) -> bool:
        """End what must not stay, once, and say whether all of it is gone."""
        if self._rest is None:
            goes = self.lets_go or not self.belongings.keeping.agents
            killed = self.belongings.end_rest() if goes else set()
            self._rest = Vigil(self._house.loop, killed, self._house.numbers.kill_bound, self._tell)
        return self._rest.is_over

    def _close_up(self) -> None:
        keeping = self.belongings.keeping
        self.belongings.shut()
        write_state(Path(self.wanted.path), self.id, self.state, holds_lock=keeping.workspace_lock is not None)
        if self.lets_go or not keeping.agents:
            keeping.clear()
        self._house.look()
        self._answer_all()

    def _answer_all(self) -> None:
        self._callers.stopped(self.failure if self.is_stuck else None)
        if self.state is State.ERROR:
            self._callers.not_started(self.failure or DaemonStartFailed())
        elif self._callers.want_start:
            self._begin()

    def _whereabouts(self) -> dict[str, Any]:
        assert self.belongings.sockets is not None
        return {"id": self.id, "pid": self.daemon_pid, **self.belongings.sockets.endpoints}
