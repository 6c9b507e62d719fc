"""Give an agent what holds it within its limits: a control group, processors."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import replace

from descartes_core.limits import Limits
from descartes_core.messages.agents import Spawn
from descartes_daemon.agent import Agent
from descartes_daemon.cgroups import Cgroups
from descartes_daemon.launch import Order


def wanted(request: Spawn) -> Limits | None:
    """Return the limits that were asked for, None where there are none."""
    limits = None if request.limits is None else Limits.from_json(request.limits.model_dump())
    return None if limits == Limits() else limits


def confine(agent: Agent, cgroups: Cgroups, order: Order) -> Order:
    """Make its control group, write into its row who holds it, and return the order with what its helper must do."""
    limits = agent.row.limits or Limits()
    held = cgroups.make(agent.id, agent.row.limits)
    kernel = frozenset[str]() if held is None else held.kernel
    agent.cgroup = None if held is None else held.group
    group = None if held is None else held.group.path
    stored = None if group is None else str(group)
    agent.row = replace(agent.row, cgroup=stored, limited_by=limits.limited_by(kernel))
    processors = () if limits.cpus is None or "cpus" in kernel else _some(math.ceil(limits.cpus), agent.id)
    return replace(order, cgroup=group, needs_cgroup=bool(kernel), processors=processors)


def _some(count: int, agent_id: str) -> tuple[int, ...]:
    """Return so many of our processors, others for each agent; none where it may have all.

    A share of a processor cannot be had this way: it is rounded up.
    """
    if sys.platform != "linux":
        return ()
    all_of_them = sorted(os.sched_getaffinity(0))
    if count >= len(all_of_them):
        return ()
    first = int(agent_id[:8], 16) % len(all_of_them)
    return tuple(sorted((all_of_them * 2)[first : first + count]))
