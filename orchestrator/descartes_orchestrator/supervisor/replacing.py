"""A daemon gives way to the next one, or to older code."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from descartes_core.kept import STAYS
from descartes_local.endings import Ending
from descartes_orchestrator.supervisor.daemon import Daemon
from descartes_orchestrator.supervisor.forks import Forks
from descartes_orchestrator.supervisor.journal import note


class Replacing:
    """What is asked of one session's daemon, and what came of it."""

    def __init__(self, forks: Forks) -> None:
        self._forks = forks
        #: The daemon is to give way.
        self.is_asked = False
        #: Why the next one was not of the installed code.
        self.fell_back: str | None = None

    def ask(self, daemon: Daemon) -> None:
        """Ask a daemon that serves to give way; one that was stopped hears it too."""
        note(f"daemon {daemon.pid} of {daemon.name} is asked to give way")
        self.is_asked, self.fell_back = True, None
        daemon.signal(signal.SIGUSR1)
        daemon.signal(signal.SIGCONT)

    def refused(self, told: Mapping[str, str]) -> str | None:
        """Say why it does not, if it has just told that."""
        if STAYS not in told or not self.is_asked:
            return None
        self.is_asked = False
        return told[STAYS]

    def is_followed(self, daemon: Daemon, ending: Ending) -> bool:
        """Say whether the next one is to follow at once: this one was asked to give way, or fell to older code."""
        if self.is_asked:
            self.is_asked = False
            return True
        if daemon.ready_at is not None or not self._forks.fall_back(daemon.pid):
            return False
        self.fell_back = daemon.failure(f"ended with {ending} before it was ready").message
        return True
