"""When the supervisor ends: nobody needs it, or it is asked to and nobody loses.

Daemons have all that they gave, and hand it over to the next supervisor. What no daemon has, because none runs or the
one that does is on its way, is ours alone: with us its terminals would hang up. So as long as there is any we stay.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from descartes_core.errors import Locked
from descartes_local.home import Home
from descartes_local.locks import lock_directory
from descartes_orchestrator.supervisor.door import Door
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop, Timer
from descartes_orchestrator.supervisor.sessions import Sessions

#: Who asks everybody to end, as a machine does that is shut down, asks daemons within this time: they are to find us.
_TOGETHER = 1.0
#: What is under way may take as long: a start that takes its whole deadline is answered.
_PATIENCE = 30.0
#: Who is about to come comes sooner.
_AGAIN = 0.1


class Departure:
    """Looks after each round of the loop."""

    def __init__(self, loop: Loop, home: Home, door: Door, sessions: Sessions, linger: float) -> None:
        self._loop, self._home, self._door, self._sessions = loop, home, door, sessions
        self._linger = linger
        #: It was asked to end.
        self.is_asked = False
        #: Why it stays all the same.
        self.stays: str | None = None
        self._is_told = self._is_due = self._is_impatient = False
        #: The one thing that is waited for: for how long nothing is held, or something under way.
        self._timer: Timer | None = None

    def ask(self) -> None:
        """End as soon as nobody loses by it."""
        if self.is_asked:
            return
        self.is_asked = True
        note("asked to end: daemons and agents go on")
        self._disarm()
        # Whoever ends everybody ends it too, and it would be started again.
        self._sessions.forks.close()
        self._loop.later(_TOGETHER if self._sessions.have_daemons else 0.0, self._fall_due)

    def insist(self) -> None:
        """End as soon as nobody loses by it; when this was said before, at once, whatever is lost."""
        if self._is_told:
            note(f"asked a second time to end: ends at once; what is lost: {self._sessions.held_alone() or 'nothing'}")
            self._loop.stop()
        self._is_told = True
        self.ask()

    def end(self) -> None:
        """End at once: nothing is held any more."""
        self._loop.stop()

    def look(self) -> None:
        """End, if it is time."""
        if self._is_due:
            self._leave()
        elif not self.is_asked:
            self._linger_on()

    def _fall_due(self) -> None:
        self._is_due = True

    def _leave(self) -> None:
        self._sessions.reaper.look()  # a daemon that has just died had nothing that we may take along
        alone = self._sessions.held_alone()
        if alone != self.stays:
            self.stays = alone
            note("nothing is held here alone any more" if alone is None else f"asked to end, and stays: {alone}")
        if alone is not None:
            self._disarm()
            self._is_impatient = False
        elif self._is_impatient:
            self._loop.stop()
        elif self._under_way() is not None:
            self._arm(_PATIENCE, self._lose_patience)
        else:
            self._end_if_nobody_comes()

    def _under_way(self) -> str | None:
        if (session := self._sessions.unsettled() or self._sessions.leaving()) is not None:
            return session
        return "somebody is connected" if self._door.has_callers else None

    def _lose_patience(self) -> None:
        self._timer, self._is_impatient = None, True
        note(f"ends although something is under way since {_PATIENCE:g} s: {self._under_way()}")

    def _linger_on(self) -> None:
        is_idle = self._sessions.are_at_rest and len(self._door) == 0
        if is_idle:
            self._arm(self._linger, self._end_if_nobody_comes)
        else:
            self._disarm()

    def _end_if_nobody_comes(self) -> None:
        self._disarm()
        try:
            lock = lock_directory(self._home.path)
        except Locked:  # somebody is about to come
            self._arm(_AGAIN, self._disarm)
            return
        except OSError:
            lock = None  # the directory is gone: nobody will come
        self._door.accept_pending()
        if not self._door.has_callers:
            # The lock is held until the process has ended: nobody starts the next one before.
            self._loop.stop()
        elif lock is not None:
            os.close(lock)

    def _arm(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._timer is None:
            self._timer = self._loop.later(seconds, callback)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
