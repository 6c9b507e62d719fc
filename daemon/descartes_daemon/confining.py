"""Give an agent what holds it within its limits: a control group, processors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from descartes_core.errors import SpawnFailed
from descartes_core.limits import Limits
from descartes_core.messages.agents import Spawn
from descartes_daemon.agent import Agent
from descartes_daemon.cgroups import Cgroups
from descartes_daemon.launch import Order
from descartes_local.cgroup2 import Cgroup

_log = logging.getLogger(__name__)

#: A program that forked before it was moved may fork again while its children are.
_ROUNDS = 3


def wanted(request: Spawn) -> Limits | None:
    """Return the limits that were asked for, None where there are none."""
    limits = None if request.limits is None else Limits.from_json(request.limits.model_dump())
    return None if limits == Limits() else limits


def confine(agent: Agent, cgroups: Cgroups, order: Order) -> Order:
    """Make its control group, write into its row who holds it, and return the order with the processors it may use."""
    limits = agent.row.limits or Limits()
    held = cgroups.make(agent.id, agent.row.limits)
    kernel = frozenset[str]() if held is None else held.kernel
    agent.cgroup = None if held is None else held.group
    stored = None if held is None else str(held.group.path)
    agent.row = replace(agent.row, cgroup=stored, limited_by=limits.limited_by(kernel))
    processors = () if limits.cpus is None or "cpus" in kernel else _some(math.ceil(limits.cpus), agent.id)
    return replace(order, processors=processors)


def needs_group(agent: Agent) -> bool:
    """Say whether the kernel holds any of its limits."""
    return agent.row.limited_by in ("cgroup", "both")


async def enter(agent: Agent) -> None:
    """Move an agent, and what it has started already, into its control group.

    The kernel takes some 12 ms for it, most of which it sleeps. Who only wants to know what belongs to an agent need
    not wait; who has limits in the kernel must, before the program runs.

    Raises:
        SpawnFailed: it has limits there, and cannot be moved.

    """
    if agent.cgroup is None or agent.process is None:
        return
    try:
        await asyncio.to_thread(_move, agent.cgroup, agent.process.pid)
    except OSError as error:
        if needs_group(agent):
            raise SpawnFailed(f"its control group cannot be entered: {error}") from error
        if not isinstance(error, FileNotFoundError):  # it has ended, and so has its group
            _log.warning("agent %s is in no control group of its own: %s", agent.id, error)


def _move(group: Cgroup, leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        group.take_in(leader)
    for _ in range(_ROUNDS):
        below = set(_descendants(leader))
        missing = below - set(group.pids()) if below else below
        for pid in missing:
            with contextlib.suppress(ProcessLookupError):
                group.take_in(pid)
        if not missing:
            return


def _descendants(pid: int) -> Iterator[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        try:
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            yield child
            yield from _descendants(child)


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
