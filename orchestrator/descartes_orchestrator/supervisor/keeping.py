"""What daemons gave into keeping, by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from descartes_core.kept import LOCK_WORKSPACE, PIDFD, agent_part
from descartes_local.processes import Process, process_of

#: Four an agent: twice as many as a thousand agents need.
MOST = 8192
#: systemd's own bound on an FDNAME.
_LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Kept:
    """One descriptor; the process is that which a pidfd means."""

    descriptor: int
    leader: Process | None


class Keeping:
    """The descriptors of one session."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def add(self, name: str, descriptor: int) -> str | None:
        """Take a descriptor, in place of one by the same name; return why not, where it is refused and closed."""
        reason = self._refusal(name)
        if reason is not None:
            os.close(descriptor)
            return reason
        self.remove(name)
        part = agent_part(name)
        leader = leader_of(descriptor) if part is not None and part.part == PIDFD else None
        self._kept[name] = Kept(descriptor, leader)
        return None

    def remove(self, name: str) -> None:
        """Let go of a descriptor, if there is one by this name."""
        kept = self._kept.pop(name, None)
        if kept is not None:
            os.close(kept.descriptor)

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
        if not name or len(name) > _LONGEST_NAME or ":" in name or not name.isprintable():
            return "its name cannot be passed on"
        if name not in self._kept and len(self._kept) >= MOST:
            return f"{MOST} are kept already"
        return None


def leader_of(pidfd: int) -> Process | None:
    """Return the process a pidfd means; None when it has been reaped, or the descriptor is none."""
    try:
        lines = Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines()
    except OSError:
        return None
    pid = next((int(line.split()[1]) for line in lines if line.startswith("Pid:")), -1)
    return process_of(pid) if pid > 0 else None
