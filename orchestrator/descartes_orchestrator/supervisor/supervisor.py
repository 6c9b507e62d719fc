"""The supervisor as a whole: put together, run, taken down."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import Any

from descartes_core import VERSION
from descartes_core.jsonrpc import Call
from descartes_local.home import Home
from descartes_local.processes import process_of
from descartes_local.supervisor_file import SupervisorFile, remove_supervisor_file, write_supervisor_file
from descartes_orchestrator.supervisor.commands import Commands
from descartes_orchestrator.supervisor.connections import Answer
from descartes_orchestrator.supervisor.departure import Departure
from descartes_orchestrator.supervisor.door import Door
from descartes_orchestrator.supervisor.handing_over import Arrivals
from descartes_orchestrator.supervisor.house import Program
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop
from descartes_orchestrator.supervisor.numbers import Numbers
from descartes_orchestrator.supervisor.renewal import Renewal
from descartes_orchestrator.supervisor.saving import SavedCall, SavedState
from descartes_orchestrator.supervisor.sessions import Sessions


class Supervisor:
    """Holds the sessions, answers calls, and ends when there is nothing to hold."""

    def __init__(self, home: Home, numbers: Numbers, program: Program, stamp: str, before: SavedState) -> None:
        """Put it together; until it runs nothing but memory has changed.

        Args:
            home: Whose supervisor it is.
            numbers: Its numbers.
            program: How it and its daemons are called.
            stamp: The state of the code we have loaded.
            before: What its place holds: where it listens at first, all that the one before knew where there was one.

        Raises:
            ValueError: that cannot be understood.
            TypeError: something is missing of it.
            OSError: something of it is not there.

        """
        self._home, self._numbers, self._program, self._before = home, numbers, program, before
        self._loop = Loop()
        self._sessions = Sessions(
            self._loop,
            home,
            numbers,
            program=program,
            environment=os.environ.copy(),
            own=lambda: self._renewal.pids,
        )
        self._renewal = Renewal(self._loop, self, program.arguments, stamp=stamp, deadline=numbers.renewal_deadline)
        self._door = Door(self._loop, socket.socket(fileno=before.listener), self.take)
        self._departure = Departure(self._loop, home, self._door, self._sessions, numbers.linger)
        self._sessions.restore(before.sessions)
        self._sessions.reaper.restore(before.orphans)
        self._sessions.forks.restore(before.fork_server, stamp)
        for peer in before.peers:
            self._door.restore(peer)
        arrivals = Arrivals(self._loop, home, self._sessions)
        self._commands = Commands(self._sessions, arrivals, self._renewal, before, self._departure)

    def run(self) -> None:
        """Run until nothing has been held for a while, or a signal or call says so."""
        note(f"supervisor {os.getpid()} begins: {VERSION}, code {self._renewal.stamp}")
        self._loop.on_signal(signal.SIGCHLD, self._sessions.reaper.look)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.on_signal(number, self._insist_on_end)
        self._loop.on_signal(signal.SIGHUP, self._ask_to_end)  # it comes along with a TERM, and is no second one
        # What came while the one before became us has waited.
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        self._tell_who_we_are()
        self.come_back()
        self._loop.later(0.0, self._go_on)
        self._loop.run(self._after_each_round)
        self._take_down()
        note(f"supervisor {os.getpid()} ends")

    def _tell_who_we_are(self) -> None:
        try:
            process = process_of(os.getpid())
            assert process is not None, "we are here"
            write_supervisor_file(self._home, SupervisorFile(*process, VERSION, self._renewal.stamp))
        except OSError as error:
            note(f"nobody will know who the supervisor is where it does not answer: {error}")

    # What the renewal needs.

    def saved(self, calls: tuple[SavedCall, ...], askers: tuple[SavedCall, ...]) -> SavedState:
        """Return all that is known, for the supervisor that takes our place."""
        return SavedState(
            version=VERSION,
            stamp=self._renewal.stamp,
            started_at=self._before.started_at,
            listener=self._door.fileno(),
            life=self._before.life,
            renewals=self._before.renewals + 1,
            sessions=self._sessions.saved(),
            peers=self._door.saved(),
            calls=calls,
            askers=askers,
            orphans=self._sessions.reaper.saved(),
            fork_server=self._sessions.forks.saved(),
            is_asked_to_end=self._departure.is_asked,
        )

    def hindrance(self, held: int) -> str | None:
        """Say what is under way besides these calls; None where nothing is."""
        is_asked = self._door.owed != held
        return self._sessions.unsettled() or ("a call is under way" if is_asked else None)

    def take(self, call: Call, answer: Answer) -> None:
        """Answer a call."""
        self._commands.take(call, answer)

    def code_of_daemons(self) -> str | None:
        """Return the state of the code that daemons are started with now, once one of it has been ready."""
        return self._sessions.forks.code

    def leave(self) -> None:
        """End a fork server that has not shown yet that it works."""
        self._sessions.forks.leave()

    def come_back(self) -> None:
        """Have a fork server."""
        self._sessions.forks.come_back()

    def _go_on(self) -> None:
        """Do what the one before left to do: look at what ended meanwhile, and answer."""
        self._sessions.reaper.look()
        before = self._before
        if before.renewals:
            note(f"renewed from {before.version}, code {before.stamp}: {len(before.sessions)} sessions go on")
        for saved in before.askers:
            if (found := self._door.restored(saved)) is not None:
                found[1].give(self._renewed())
        for saved in before.calls:
            if (found := self._door.restored(saved)) is not None:
                self._commands.take_again(*found)
        if before.is_asked_to_end:
            self._departure.ask()

    def _renewed(self) -> dict[str, Any]:
        """Return what those are told who asked for a renewal."""
        before, listed = self._before, self._sessions.listed()
        return {
            "pid": os.getpid(),
            "from": {"version": before.version, "stamp": before.stamp},
            "to": {"version": VERSION, "stamp": self._renewal.stamp},
            "sessions": sum(row["pid"] is not None for row in listed),
            "kept": sum(row["kept"] for row in listed),
        }

    # Its end.

    def _after_each_round(self) -> None:
        self._renewal.look()
        self._sessions.forget()
        self._departure.look()

    def _ask_to_end(self) -> None:
        self._renewal.give_up("it is asked to end")
        self._departure.ask()

    def _insist_on_end(self) -> None:
        self._renewal.give_up("it is asked to end")
        self._departure.insist()

    def _take_down(self) -> None:
        remove_supervisor_file(self._home)
        with contextlib.suppress(OSError):
            self._home.supervisor_socket.unlink()
        self._door.close()
        self._sessions.forks.close()
        for session in self._sessions.all():
            if session.daemon is None:  # one that lives is found by its files, also by the next supervisor
                session.belongings.shut()
        self._loop.close()
