"""The supervisor as a whole: put together, run, taken down."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from descartes_core.errors import Locked
from descartes_core.times import written
from descartes_local.home import Home
from descartes_local.locks import lock_directory
from descartes_orchestrator.supervisor.commands import Commands
from descartes_orchestrator.supervisor.door import Door
from descartes_orchestrator.supervisor.house import Command, daemon_command
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop, Timer
from descartes_orchestrator.supervisor.numbers import Numbers
from descartes_orchestrator.supervisor.sessions import Sessions


class Supervisor:
    """Holds the sessions, answers calls, and ends when there is nothing to hold."""

    def __init__(self, home: Home, listener: socket.socket, numbers: Numbers, command: Command) -> None:
        self._home, self._numbers, self._loop = home, numbers, Loop()
        self._command = command
        self._sessions = Sessions(self._loop, home, numbers, command=command, environment=os.environ.copy())
        commands = Commands(self._sessions, written(time.time()), self._loop.stop)
        self._door = Door(self._loop, listener, commands.take)
        self._linger: Timer | None = None
        self._is_quitting = False
        self._loop.on_signal(signal.SIGCHLD, self._sessions.reaper.look)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.on_signal(number, self._quit)

    def run(self) -> None:
        """Run until nothing has been held for a while, or a signal or call says so."""
        note(f"supervisor {os.getpid()} begins")
        if self._command is daemon_command:
            self._sessions.forks.begin()
        self._loop.run(self._after_each_round)
        self._take_down()
        note(f"supervisor {os.getpid()} ends")

    def _after_each_round(self) -> None:
        self._sessions.forget()
        if self._is_quitting and not self._sessions.have_daemons:
            self._loop.stop()
        is_idle = self._sessions.are_at_rest and len(self._door) == 0
        if not is_idle and self._linger is not None:
            self._linger.cancel()
            self._linger = None
        elif is_idle and self._linger is None:
            self._linger = self._loop.later(self._numbers.linger, self._end_if_nobody_comes)

    def _end_if_nobody_comes(self) -> None:
        self._linger = None
        try:
            lock = lock_directory(self._home.path)
        except Locked:
            return  # somebody is about to come
        except OSError:
            lock = None  # the directory is gone: nobody will come
        self._door.accept_pending()
        if len(self._door) == 0:
            # The lock is held until the process has ended: nobody starts the next one before.
            self._loop.stop()
        elif lock is not None:
            os.close(lock)

    def _quit(self) -> None:
        if self._is_quitting:
            note("asked a second time to end: ends at once")
            self._loop.stop()
            return
        self._is_quitting = True
        kept = sum(len(session.belongings.keeping.agents) for session in self._sessions.all())
        note(f"asked to end: daemons are asked to end, {kept} kept agents will lose their terminals")
        self._sessions.quit()

    def _take_down(self) -> None:
        with contextlib.suppress(OSError):
            self._home.supervisor_socket.unlink()
        self._door.close()
        self._sessions.forks.close()
        for session in self._sessions.all():
            session.belongings.shut()
        self._loop.close()
