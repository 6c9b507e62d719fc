"""Children of ours that ended, and whose they were.

Nothing is reaped that a daemon has not committed: an exit status exists once, and reap-then-store loses it when the
storing process is killed in between. Hence never a wait for just any child.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from descartes_local.processes import Process, Stat, children_of_self, environ_of, stat_of


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended: one of the two is set."""

    exit_code: int | None
    signal: str | None

    def __str__(self) -> str:
        return f"exit code {self.exit_code}" if self.signal is None else self.signal


class Owner(Protocol):
    """A session, as far as the reaper needs to know it."""

    @property
    def id(self) -> str:
        """The session's id."""

    @property
    def daemon_pid(self) -> int | None:
        """The daemon's pid while it has not been reaped."""

    @property
    def leaders(self) -> set[Process]:
        """The agents' processes that are in its keeping."""

    def daemon_ended(self, ending: Ending) -> None:
        """Hear that the daemon has ended and is reaped."""


class Reaper:
    """Knows which child of ours came from which session."""

    def __init__(self, owners: Callable[[], Iterable[Owner]]) -> None:
        self._owners = owners
        self._orphans: dict[Process, str] = {}
        self._is_looking = False

    def orphans(self, session: str) -> set[Process]:
        """Return the living children that came to us from a session's dead daemons, without kept agents."""
        return {orphan for orphan, owner in self._orphans.items() if owner == session}

    def look(self) -> None:
        """Take what came to us, reap what may be reaped, tell of daemons that ended, until nothing is left to do."""
        if self._is_looking:
            return  # the look that is under way goes on until nothing is left
        self._is_looking = True
        try:
            while self._round():
                pass
        finally:
            self._is_looking = False

    def _round(self) -> bool:
        owners = list(self._owners())
        daemons = {owner.daemon_pid: owner for owner in owners if owner.daemon_pid is not None}
        leaders = {leader: owner.id for owner in owners for leader in owner.leaders}
        # The kernel's list may miss one while others end; a daemon must not be missed.
        stats = [stat for stat in map(stat_of, {*children_of_self(), *daemons}) if stat is not None]
        dead = {stat.process.pid for stat in stats if stat.is_dead}
        others = [stat for stat in stats if stat.process.pid not in daemons]
        self._attribute(others, leaders, {owner.id for pid, owner in daemons.items() if pid in dead})
        reapable = dead - {stat.process.pid for stat in others if stat.process in leaders}
        # One whose first thread has ended looks dead too; it is only when it can be reaped.
        endings = {pid: ending for pid in reapable if (ending := reap(pid)) is not None}
        for pid, ending in endings.items():
            if pid in daemons:
                daemons[pid].daemon_ended(ending)
        return bool(endings)

    def _attribute(self, children: list[Stat], leaders: dict[Process, str], dead: set[str]) -> None:
        living = {stat.process: stat for stat in children if not stat.is_dead and stat.process not in leaders}
        adopted = {stat.process: leaders[stat.process] for stat in children if stat.process in leaders}
        known = {child: owner for child, owner in self._orphans.items() if child in living}
        # Whose else could a child be: a session whose daemon is dead, or that has children here already.
        possible = dead | set(adopted.values()) | set(known.values())
        by_session = {process.pid: owner for process, owner in {**leaders, **self._orphans}.items()}
        for child, stat in living.items():
            owner = known.get(child) or _marked(child.pid) or by_session.get(stat.session)
            if owner is None and len(possible) == 1:
                owner = next(iter(possible))
            if owner is not None:
                known[child] = owner
        self._orphans = known


def _marked(pid: int) -> str | None:
    name = b"DESCARTES_SESSION_ID="
    for entry in environ_of(pid).split(b"\0"):
        if entry.startswith(name):
            return entry.removeprefix(name).decode(errors="replace")
    return None


def peek(pid: int) -> Ending | None:
    """Return how a child of ours ended, None while it lives; it stays to be reaped."""
    if sys.platform != "linux":
        return None
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    if found.si_code == os.CLD_EXITED:
        return Ending(found.si_status, None)
    return Ending(None, signal_name(found.si_status))


def reap(pid: int) -> Ending | None:
    """Reap a child of ours that has ended and return how; None where there is none to reap."""
    try:
        gone, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    if gone == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return Ending(code, None) if code >= 0 else Ending(None, signal_name(-code))


def signal_name(number: int) -> str:
    """Return SIGKILL for 9; real-time signals have no names but numbers."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def is_our_child(process: Process) -> bool:
    """Say whether this very process is a child of ours, dead or alive."""
    found = stat_of(process.pid)
    return found is not None and found.process == process and found.parent == os.getpid()
