"""What a process takes: memory, descriptors, threads, dead children; and what lies in a directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from descartes_local.processes import every_stat

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Weight:
    """What one process takes at one moment."""

    memory: int
    descriptors: int
    threads: int
    zombies: int

    def __str__(self) -> str:
        rest = f"{self.descriptors} descriptors, {self.threads} threads, {self.zombies} zombies"
        return f"{self.memory / MEBIBYTE:.1f} MiB, {rest}"


def weight_of(pid: int) -> Weight:
    """Weigh a process."""
    return Weight(
        memory_of(pid),
        len(os.listdir(f"/proc/{pid}/fd")),
        len(os.listdir(f"/proc/{pid}/task")),
        sum(stat.parent == pid and stat.is_dead for stat in every_stat()),
    )


def memory_of(pid: int) -> int:
    """Return what a process accounts for itself (PSS), in bytes."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


def own_memory_of(pid: int) -> int:
    """Return what a process has written to, in bytes: who else has loaded the same libraries does not matter."""
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon:"))


def files_in(place: Path, *but: str) -> set[str]:
    """Return all that lies in a directory, what lies in directories of these names apart."""
    return {
        str(path.relative_to(place))
        for path in place.rglob("*")
        if not set(path.relative_to(place).parts[:-1]) & set(but)
    }
