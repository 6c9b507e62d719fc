"""Whether the kernel has held an agent at one of its limits, in words."""

from __future__ import annotations

from descartes_core.limits import Limits, over_memory, over_pids
from descartes_local.cgroup2 import Cgroup

#: What tells it, by limit: a file of the agent's group, and what is counted there.
COUNTED = {"memory": ("memory.events", "oom_kill"), "pids": ("pids.events", "max")}


def verdict(group: Cgroup | None, limits: Limits | None) -> str | None:
    """Return which limit was hit, as the group's counts tell; None where none was, or nobody counts."""
    if group is None or limits is None:
        return None
    if limits.memory is not None and group.count(*COUNTED["memory"]):
        return over_memory(None, limits.memory)
    if limits.pids is not None and group.count(*COUNTED["pids"]):
        return over_pids(None, limits.pids)
    return None
