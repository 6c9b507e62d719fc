"""Children of ours that ended, and whose they were.

Nothing is reaped that a daemon has not committed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from descartes_core.errors import Forbidden
from descartes_local import cgroup2
from descartes_local.endings import Ending, peek, reap
from descartes_local.processes import Process, Stat, children_of_self, environ_of, stat_of
from descartes_orchestrator.supervisor.exits import Exits
from descartes_orchestrator.supervisor.loop import attempt


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

    def hear(self) -> None:
        """Take what the daemon has told."""

    def daemon_ended(self, ending: Ending) -> None:
        """Hear that the daemon has ended and is reaped."""


class Reaper:
    """Knows which child of ours came from which session."""

    def __init__(self, owners: Callable[[], Iterable[Owner]], own: Callable[[], set[int]], exits: Exits) -> None:
        self._owners, self._exits = owners, exits
        #: The children that belong to no session: ours.
        self._own = own
        self._orphans: dict[Process, str] = {}
        self._is_looking = False

    def orphans(self, session: str) -> set[Process]:
        """Return the living children that came to us from a session's dead daemons, without kept agents."""
        return {orphan for orphan, owner in self._orphans.items() if owner == session}

    def saved(self) -> tuple[tuple[int, int, str], ...]:
        """Return whose they are, for the supervisor that takes our place."""
        return tuple((orphan.pid, orphan.started, owner) for orphan, owner in self._orphans.items())

    def restore(self, saved: Iterable[tuple[int, int, str]]) -> None:
        """Know again whose they are."""
        self._orphans = {Process(pid, started): owner for pid, started, owner in saved}

    def ending_of(self, process: Process) -> Ending | None:
        """Return how a child ended of ours, or of a supervisor before us; None where nobody knows."""
        return peek(process.pid) if is_our_child(process) else self._exits.get(process)

    def committed(self, process: Process, asker: int) -> None:
        """Hear that an ending is stored: now it may be reaped and forgotten.

        Raises:
            Forbidden: it is not the agent's own daemon that says so; nobody else can know.

        """
        owner = next((owner for owner in self._owners() if process in owner.leaders), None)
        if owner is not None and asker not in (0, owner.daemon_pid):
            raise Forbidden(f"pid {asker} is not the daemon of session {owner.id}")
        if owner is not None and is_our_child(process):
            reap(process.pid)
        self._exits.remove(process)

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
        for owner in owners:
            attempt(owner.hear)  # of an agent, say, that has ended since
        daemons = {owner.daemon_pid: owner for owner in owners if owner.daemon_pid is not None}
        leaders = {leader: owner.id for owner in owners for leader in owner.leaders}
        # The kernel's list may miss one while others end; a daemon must not be missed.
        stats = [stat for stat in map(stat_of, {*children_of_self(), *daemons}) if stat is not None]
        dead = {stat.process.pid for stat in stats if stat.is_dead}
        others = [stat for stat in stats if stat.process.pid not in daemons]
        self._attribute(
            [stat for stat in others if stat.process.pid not in self._own()],
            leaders,
            {owner.id for pid, owner in daemons.items() if pid in dead},
        )
        kept = {stat.process for stat in others if stat.process in leaders}
        self._write_down(process for process in kept if process.pid in dead)
        reapable = dead - {process.pid for process in kept}
        # One whose first thread has ended looks dead too; it is only when it can be reaped.
        endings = {pid: ending for pid in reapable if (ending := reap(pid)) is not None}
        for stat in others:
            if stat.process.pid in endings:
                self._exits.remove(stat.process)
        for pid, ending in endings.items():
            if pid in daemons:
                # Nobody can tell it again: a fault in one session must not keep this from the others.
                attempt(partial(daemons[pid].daemon_ended, ending))
        return bool(endings)

    def _write_down(self, ended: Iterable[Process]) -> None:
        """Write down how these have ended, as long as the kernel tells us: until a daemon has committed it."""
        for process in ended:
            if process not in self._exits and (ending := peek(process.pid)) is not None:
                self._exits.add(process, ending)

    def _attribute(self, children: list[Stat], leaders: dict[Process, str], dead: set[str]) -> None:
        living = {stat.process: stat for stat in children if not stat.is_dead and stat.process not in leaders}
        adopted = {stat.process: leaders[stat.process] for stat in children if stat.process in leaders}
        known = {child: owner for child, owner in self._orphans.items() if child in living}
        # Whose else could a child be: a session whose daemon is dead, or that has children here already.
        possible = dead | set(adopted.values()) | set(known.values())
        by_session = {process.pid: owner for process, owner in {**leaders, **self._orphans}.items()}
        for child, stat in living.items():
            owner = known.get(child) or _marked(child.pid) or cgroup2.session_of(child.pid)
            owner = owner or by_session.get(stat.session)
            if owner is None and len(possible) == 1 and not _serves(child.pid):
                owner = next(iter(possible))
            if owner is not None:
                known[child] = owner
        self._orphans = known


def _serves(pid: int) -> bool:
    """Say whether it is a supervisor of another home, which an agent's program has started."""
    group = cgroup2.of_process(pid)
    return group is not None and cgroup2.is_serving(group)


def _marked(pid: int) -> str | None:
    name = b"DESCARTES_SESSION_ID="
    for entry in environ_of(pid).split(b"\0"):
        if entry.startswith(name):
            return entry.removeprefix(name).decode(errors="replace")
    return None


def is_our_child(process: Process) -> bool:
    """Say whether this very process is a child of ours, dead or alive."""
    found = stat_of(process.pid)
    return found is not None and found.process == process and found.parent == os.getpid()
