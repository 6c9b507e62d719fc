"""Give the place to a supervisor of other code, in the same process, unnoticed.

First a process of the new code shows that it can go on with everything (`rehearsal`). Then, at a moment when nothing is
under way, this process becomes the new one by execve: same pid, same children, same descriptors, and what only memory
knew in a sealed piece of memory (`saving`). Whatever fails before that leaves everything as it was.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Protocol

from descartes_core.errors import Conflict, RenewalFailed
from descartes_core.jsonrpc import Call
from descartes_local.probe import reached
from descartes_orchestrator.supervisor import saving
from descartes_orchestrator.supervisor.connections import Answer
from descartes_orchestrator.supervisor.installed import INSTALLED
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop, Timer
from descartes_orchestrator.supervisor.rehearsal import Played, Rehearsal
from descartes_orchestrator.supervisor.saving import SavedCall, SavedState

#: Such calls would bring something under way again. They wait for the next supervisor, or until there will be none.
HELD = ("start", "stop", "restart")


class Renewed(Protocol):
    """The supervisor, as far as its renewal needs it."""

    def saved(self, calls: tuple[SavedCall, ...], askers: tuple[SavedCall, ...]) -> SavedState:
        """Return all that it knows."""

    def hindrance(self, held: int) -> str | None:
        """Say what is under way besides these calls; None where nothing is."""

    def take(self, call: Call, answer: Answer) -> None:
        """Answer a call."""

    def code_of_daemons(self) -> str | None:
        """Return the state of the code that daemons are started with now, once one of it has been ready."""

    def leave(self) -> None:
        """End what cannot go along."""

    def come_back(self) -> None:
        """Begin it again."""


class Renewal:
    """Asked for by a caller, or by a start while newer code is installed."""

    def __init__(
        self, loop: Loop, supervisor: Renewed, arguments: Sequence[str], *, stamp: str, deadline: float
    ) -> None:
        self._loop, self._supervisor, self._arguments = loop, supervisor, arguments
        #: For the rehearsal, and as much for what is under way.
        self._deadline = deadline
        #: Which python we run in, and with which state of the code.
        self.interpreter, self.stamp = sys.executable, stamp
        #: Why there was none, the last time.
        self.failure: str | None = None
        #: The state of the code that failed: a start does not try it again.
        self._failed = ""
        #: The state of the code that a daemon had, and for which we tried.
        self._followed = stamp
        #: Which python the next one runs in; None while no renewal is under way.
        self._next: str | None = None
        self._rehearsal: Rehearsal | None = None
        self._is_due = False
        self._patience: Timer | None = None
        self._askers: list[Answer] = []
        self._held: list[tuple[Call, Answer]] = []

    @property
    def pids(self) -> set[int]:
        """The children of ours that are no daemons."""
        return {self._rehearsal.pid} if self._rehearsal else set()

    def ask(self, interpreter: str, answer: Answer) -> None:
        """Begin a renewal, or join the one that is under way; the next supervisor answers.

        Raises:
            Conflict: one by another python is under way.

        """
        if self._next not in (None, interpreter):
            raise Conflict(f"the supervisor is just being renewed with {self._next}: try again")
        self._askers.append(answer)
        self._begin(interpreter)

    def holds(self, call: Call, answer: Answer, *, starts: bool) -> bool:
        """Say whether this call waits for the next supervisor; one that starts a daemon does where newer code is there.

        Code that could not be renewed to does not hinder.
        """
        if call.method not in HELD:
            return False
        is_old = starts and INSTALLED.stamp() not in (self.stamp, self._failed)
        if not self._is_due and not is_old:
            return False
        self._held.append((call, answer))
        self._begin(self._next or self.interpreter)
        return True

    def look(self) -> None:
        """Become the next one, if it is time; after each round of the loop."""
        self._follow()
        if not self._is_due or self._hindrance() is not None:
            return
        # Handlers do not survive; what comes from here on waits until the next one has its own.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._loop.take_signals()
            if self._is_due and self._hindrance() is None:
                self._become()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def give_up(self, why: str) -> None:
        """Go on as before, and tell why."""
        if self._next is None:
            return
        if self._rehearsal is not None:
            self._rehearsal.cancel()
            self._rehearsal = None
        if self._patience is not None:
            self._patience.cancel()
        note(f"not renewed with {self._next}: {why}")
        self.failure, self._failed = why, INSTALLED.stamp()
        self._next, self._is_due = None, False
        askers, self._askers = self._askers, []
        held, self._held = self._held, []
        for answer in askers:
            answer.refuse(RenewalFailed(f"the supervisor goes on as it was: {why}"))
        for _, answer in held:
            answer.by(self._supervisor.take)

    def _follow(self) -> None:
        """Renew where a daemon that was started again is of other code than we are: nobody asked, who could wait."""
        code = self._supervisor.code_of_daemons()
        if code is not None and code not in (self.stamp, self._followed):
            self._followed = code
            self._begin(self._next or self.interpreter)

    def _begin(self, interpreter: str) -> None:
        if self._next is not None:
            return
        self._next = interpreter
        note(f"a renewal with {interpreter} is rehearsed")
        try:
            state = self._supervisor.saved((), ())
            blob = saving.write(state)
        except (OSError, TypeError, ValueError) as error:
            self.give_up(f"its state cannot be written down: {error}")
            return
        try:
            command = [interpreter, *self._arguments, "--rehearse", str(blob)]
            descriptors = state.descriptors() | {blob}
            self._rehearsal = Rehearsal(self._loop, command, descriptors, self._deadline, self._rehearsed)
        except OSError as error:
            self.give_up(f"no process can be made: {error}")
        finally:
            os.close(blob)

    def _rehearsed(self, played: Played) -> None:
        self._rehearsal = None
        if played.failure is not None:
            self.give_up(f"{self._next} cannot run the next one: {played.failure}")
            return
        note(f"the next supervisor would be of version {played.version} ({played.stamp})")
        self._is_due = True
        self._patience = self._loop.later(self._deadline, self._patience_over)

    def _patience_over(self) -> None:
        self.give_up(f"{self._hindrance() or 'something'}, for {self._deadline:g} s")

    def _hindrance(self) -> str | None:
        mine = [*self._askers, *(answer for _, answer in self._held)]
        return self._supervisor.hindrance(sum(answer.is_awaited for answer in mine))

    def _become(self) -> None:
        """Become the next one; who comes back from here could not."""
        blob, descriptors = None, set[int]()
        try:
            calls = tuple(answer.saved() for _, answer in self._held if answer.is_awaited)
            state = self._supervisor.saved(calls, tuple(asker.saved() for asker in self._askers if asker.is_awaited))
            blob = saving.write(state)
            descriptors = state.descriptors() | {blob}
            self._supervisor.leave()
            for descriptor in descriptors:
                os.set_inheritable(descriptor, True)
            note(f"becomes the next supervisor, with {len(descriptors)} descriptors")
            reached("supervisor.about_to_renew")
            assert self._next is not None
            os.execve(self._next, [self._next, *self._arguments, "--renewed", str(blob)], os.environ)
        except (OSError, TypeError, ValueError) as error:
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
            if blob is not None:
                os.close(blob)
            self._supervisor.come_back()
            self.give_up(f"{self._next} cannot be executed: {error}")
