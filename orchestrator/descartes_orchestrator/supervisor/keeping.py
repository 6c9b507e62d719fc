"""What daemons gave into keeping, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from descartes_core.kept import LOCK_WORKSPACE, PIDFD, agent_part
from descartes_local.descriptors import free_descriptors, let_go, limit_of_descriptors
from descartes_local.endings import pid_of
from descartes_local.processes import Process, process_of
from descartes_orchestrator.supervisor.saving import SavedKept

#: Four an agent: twice as many as a thousand agents need.
MOST = 8192
#: systemd's own bound on an FDNAME.
_LONGEST_NAME = 255
#: All names together: they are handed on in the next daemon's environment, which has 2 MiB.
_LONGEST_NAMES = 1024 * 1024
#: Descriptors that nobody's agents may have: for who asks us, for starts, and so that a notice's own always arrive.
_SPARE = 64


def spare() -> int:
    """Return how many of our descriptors are not for keeping."""
    return min(_SPARE, limit_of_descriptors() // 8)


@dataclass(frozen=True, slots=True)
class Kept:
    """One descriptor; the process is that which a pidfd means."""

    descriptor: int
    leader: Process | None


class Keeping:
    """The descriptors of one session."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._letters = 0

    def add(self, name: str, descriptor: int) -> str | None:
        """Take a descriptor, in place of one by the same name; return why not, where it is refused and closed."""
        reason = self._refusal(name)
        if reason is not None:
            let_go([descriptor])
            return reason
        self.remove(name)
        part = agent_part(name)
        leader = leader_of(descriptor) if part is not None and part.part == PIDFD else None
        self._kept[name] = Kept(descriptor, leader)
        self._letters += len(name)
        return None

    def saved(self) -> tuple[SavedKept, ...]:
        """Return all, for the keeper that takes our place."""
        return tuple(
            SavedKept(name, kept.descriptor, (kept.leader.pid, kept.leader.started) if kept.leader else None)
            for name, kept in self._kept.items()
        )

    def restore(self, saved: Iterable[SavedKept]) -> None:
        """Go on with what was kept before."""
        for each in saved:
            self._kept[each.name] = Kept(each.descriptor, Process(*each.leader) if each.leader else None)
            self._letters += len(each.name)

    def remove(self, name: str) -> None:
        """Let go of a descriptor, if there is one by this name."""
        kept = self._kept.pop(name, None)
        if kept is not None:
            self._letters -= len(name)
            let_go([kept.descriptor])

    def clear(self) -> None:
        """Let go of everything."""
        for name in list(self._kept):
            self.remove(name)

    def descriptors(self) -> list[tuple[str, int]]:
        """Return all, by name, in the order in which they came."""
        return [(name, kept.descriptor) for name, kept in self._kept.items()]

    @property
    def agents(self) -> set[str]:
        """The agents of which anything is kept."""
        return {part.agent for part in map(agent_part, self._kept) if part is not None}

    @property
    def leaders(self) -> set[Process]:
        """The processes whose pidfds are kept: nobody but the daemon says when they may be reaped."""
        return {kept.leader for kept in self._kept.values() if kept.leader is not None}

    @property
    def workspace_lock(self) -> int | None:
        """The descriptor that holds the lock on the workspace."""
        kept = self._kept.get(LOCK_WORKSPACE)
        return kept.descriptor if kept else None

    def __len__(self) -> int:
        return len(self._kept)

    def _refusal(self, name: str) -> str | None:
        if not name or len(name) > _LONGEST_NAME or ":" in name or not (name.isascii() and name.isprintable()):
            return f"{name[:80]!r} cannot be handed on as a name"
        if name in self._kept:
            return None
        if len(self._kept) >= MOST or self._letters + len(name) > _LONGEST_NAMES:
            return f"{len(self._kept)} descriptors of this session are kept, which is the most: end some agents"
        free = free_descriptors()
        if free is not None and free < spare():
            limit = limit_of_descriptors()
            return f"{free} of the supervisor's {limit} descriptors are free: end some agents, or raise ulimit -Hn"
        return None


def leader_of(pidfd: int) -> Process | None:
    """Return the process a pidfd means; None when it has been reaped, or the descriptor is none."""
    pid = pid_of(pidfd)
    return None if pid is None else process_of(pid)
