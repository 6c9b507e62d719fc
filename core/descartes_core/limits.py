"""How much one agent may take, and the sentence for one that took more.

Memory is that of the whole tree, in bytes; `cpus` is how many processors it may keep busy; `pids` counts processes and
threads, as the kernel does; `timeout` is wall time from the start of its program, pauses and its daemon's absence too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from descartes_core.quantities import brief_bytes, brief_seconds

#: Who holds an agent within its limits: the kernel, by a cgroup; the daemon, which looks; or each some of them.
LimitedBy = Literal["cgroup", "daemon", "both"]

#: What needs somebody to hold it; the timeout is a timer of the daemon's, and needs nobody else.
HELD = ("memory", "cpus", "pids")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one agent; what is None has none."""

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    #: Seconds.
    timeout: float | None = None

    @property
    def to_hold(self) -> frozenset[str]:
        """Which of those that need a holder are set."""
        return frozenset(name for name in HELD if getattr(self, name) is not None)

    def limited_by(self, kernel: Collection[str]) -> LimitedBy | None:
        """Return who holds them when the kernel holds these; None where only the time is limited."""
        if not self.to_hold:
            return None
        if self.to_hold <= set(kernel):
            return "cgroup"
        return "both" if self.to_hold & set(kernel) else "daemon"

    def as_json(self) -> dict[str, Any]:
        """Return all four."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None) -> Limits | None:
        """Return stored limits; None where there are none."""
        return None if found is None else cls(**found)

    def __str__(self) -> str:
        """Tell them in brief: memory 2G, cpus 1.5, pids 200, 2h."""
        told = [] if self.memory is None else [f"memory {brief_bytes(self.memory)}"]
        told += [] if self.cpus is None else [f"cpus {self.cpus:g}"]
        told += [] if self.pids is None else [f"pids {self.pids}"]
        told += [] if self.timeout is None else [f"time {brief_seconds(self.timeout)}"]
        return ", ".join(told)


def over_memory(found: int | None, limit: int) -> str:
    """Tell that a tree takes more memory than it may; found is None where the kernel ended it at the limit."""
    if found is None:
        return f"limit: memory {brief_bytes(limit)}"
    return f"limit: memory {_above(found, limit)} > {brief_bytes(limit)}"


def over_pids(found: int | None, limit: int) -> str:
    """Tell that a tree has more processes and threads than it may; found is None where the kernel refused one more."""
    return f"limit: pids {limit}" if found is None else f"limit: pids {found} > {limit}"


def over_time(limit: float) -> str:
    """Tell that an agent's time is over."""
    return f"limit: time {brief_seconds(limit)}"


def _above(found: int, limit: int) -> str:
    """Return what was found so that it reads as more than the limit."""
    brief = brief_bytes(found)
    return brief if brief != brief_bytes(limit) else str(found)
