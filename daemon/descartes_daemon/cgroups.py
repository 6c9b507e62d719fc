"""The control groups of this session's agents, where we may make some."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from descartes_core.limits import Limits
from descartes_local import cgroup2
from descartes_local.cgroup2 import CONTROLLERS, SERVING, Cgroup
from descartes_local.processes import every_stat

_log = logging.getLogger(__name__)

#: Somebody of ours may be started in the old group while we move out of it.
_ROUNDS = 3
#: An agent's group is empty for a moment before its program is in it, and much longer only when nobody comes (seconds).
_LEFT_FOR = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """A group that was made for an agent, and the limits (limits.HELD) that the kernel holds in it."""

    group: Cgroup
    kernel: frozenset[str]


class Cgroups:
    """Makes and removes them; the first agent pays for looking where, not the daemon's start."""

    def __init__(
        self,
        session_id: str,
        *,
        is_wanted: bool,
        has_supervisor: bool,
        is_unit: bool = False,
        start: Cgroup | None = None,
    ) -> None:
        """Know whether groups are wanted at all, and (in tests) in which one we were started.

        A unit's manager starts the next daemon in the same group as this one: it must stay free to hold processes.
        """
        self._session_id = session_id
        self._is_wanted = is_wanted
        self._has_supervisor = has_supervisor
        self._is_unit = is_unit
        self._start = start
        self._base: Cgroup | None = None
        self._has_looked = False
        self._needs_start = False

    @property
    def base(self) -> Cgroup | None:
        """Where the groups of all sessions lie; None where we may make none."""
        if not self._has_looked:
            self._has_looked = True
            start = self._start or (cgroup2.own() if self._is_wanted else None)
            if start is not None:
                base = cgroup2.base_of(start)
                self._base = base if cgroup2.may_make(Cgroup(base.path.parent)) else None
                self._needs_start = self._is_unit and base.path.parent == start.path
        return self._base

    @property
    def _session(self) -> Cgroup | None:
        return None if self.base is None else Cgroup(self.base.path / self._session_id)

    def make(self, agent_id: str, limits: Limits | None) -> Held | None:
        """Make a group for an agent; None where there can be none, which is no reason not to start it."""
        if (session := self._session) is None:
            return None
        group = Cgroup(session.path / agent_id)
        try:
            group.make()
        except OSError as error:
            _log.warning("no control group for agent %s: %s", agent_id, error)
            return None
        if limits is not None and limits.to_hold:
            self._pass_on({CONTROLLERS[name] for name in limits.to_hold})
        group.note_memory()
        return Held(group, frozenset() if limits is None else group.limit(limits))

    def _pass_on(self, wanted: Collection[str]) -> None:
        """Have these controllers in agents' groups, as far as they are given to us."""
        base, session = self.base, self._session
        assert base is not None, "a group was made in it"
        assert session is not None, "a group was made in it"
        start = Cgroup(base.path.parent)
        if self._needs_start:
            # systemd would try for ever, and in vain, to put the next daemon into a group that passes controllers on.
            _log.info("the kernel's controllers are not used: the next daemon begins in %s, too", start.path)
            return
        given = start.controllers.intersection(wanted)
        try:
            for _ in range(_ROUNDS):
                try:
                    start.pass_on(given)
                except OSError as error:
                    if error.errno != errno.EBUSY or not self._move_out(start, base):
                        raise
                else:
                    break
            for group in (base, session):
                group.pass_on(given)
        except OSError as error:
            _log.info("the kernel's controllers cannot be used in %s: %s", start.path, error)

    def _move_out(self, start: Cgroup, base: Cgroup) -> bool:
        """Move ourselves, and our kin, from the group we were started in; not where strangers stay in it."""
        ours = {os.getpid()} | (_kin() if self._has_supervisor else set())
        here = {int(pid) for pid in (start.path / "cgroup.procs").read_text().split()}
        if not here <= ours:
            return False
        serving = Cgroup(base.path / SERVING)
        serving.make()
        for pid in here:
            try:
                serving.take_in(pid)
            except ProcessLookupError:
                continue
        return True

    def found(self, agent_id: str, stored: str | None) -> Cgroup | None:
        """Return the group that an earlier daemon made for an agent, None where it is gone."""
        if stored is None:
            return None
        group = Cgroup(Path(stored))
        return group if group.path.name == agent_id and group.is_there else None

    def leftovers(self) -> Iterator[Cgroup]:
        """Walk over the groups of this session that are there."""
        if (session := self._session) is not None and session.path.is_dir():
            yield from (Cgroup(path) for path in sorted(session.path.iterdir()) if path.is_dir())

    def close(self) -> None:
        """Remove what is empty, also what others have left that were killed."""
        self.tidy()
        if self.base is not None:
            cgroup2.sweep(self.base, time.time() - _LEFT_FOR)
            self.tidy()

    def tidy(self) -> None:
        """Remove what holds groups of agents, where it holds none."""
        if (session := self._session) is not None and self.base is not None:
            for path in (session.path, self.base.path):
                try:
                    path.rmdir()
                except OSError:
                    return


def _kin() -> set[int]:
    """Return our parent, the supervisor, and what else it has started: other daemons, and what starts them."""
    parent = os.getppid()
    return {parent, *(stat.process.pid for stat in every_stat() if stat.parent == parent)} if parent != 1 else set()
