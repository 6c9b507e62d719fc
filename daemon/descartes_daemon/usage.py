"""What agents take, looked at when somebody asks, and when one has ended.

The kernel counts for a control group, whoever was in it; where there is none, or not for all of it, what is there in
/proc is summed up. Nothing is looked at in between, so that an agent nobody asks about costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from descartes_core.usage import Usage
from descartes_daemon.agent import Agent
from descartes_local.cgroup2 import Cgroup
from descartes_local.process_usage import rusage_of, taken_by_process
from descartes_local.processes import Process, is_alive, process_of
from descartes_local.tree import find_trees


def look(agents: Iterable[Agent]) -> dict[str, Usage]:
    """Return what each has taken so far, by id, and remember it; may be called in a thread.

    Those that have ended took what is stored of them; what is left of their trees is not told.
    """
    found: dict[str, Usage] = {}
    living: list[Agent] = []
    for agent in agents:
        if agent.is_alive and agent.process is not None:
            living.append(agent)
        elif (stored := Usage.from_json(agent.row.usage) or agent.usage) is not None:
            found[agent.id] = stored
    for agent, pids in _members(living):
        usage = _of_group(agent.cgroup, _sum(pids)).at_least(agent.usage)
        agent.usage = found[agent.id] = usage
    return found


def _members(agents: list[Agent]) -> Iterator[tuple[Agent, list[int]]]:
    """Yield each with the pids of its tree: by its control group, or all others from one walk."""
    others: list[Agent] = []
    for agent in agents:
        pids = [] if agent.cgroup is None else agent.cgroup.pids()
        assert agent.process is not None, "only those are asked about"
        # One that has only begun is not in its group yet, and one that could not be moved never is.
        if pids and (agent.process.pid in pids or not is_alive(agent.process)):
            yield agent, pids
        else:
            others.append(agent)
    if others:
        known = {agent.id: agent.rest | ({agent.process} if agent.process else set()) for agent in others}
        trees = find_trees(known, "DESCARTES_AGENT_ID")
        yield from ((agent, [process.pid for process in trees[agent.id]]) for agent in others)


def _sum(pids: Iterable[int]) -> Usage:
    """Sum up what processes have taken, each with the children it has waited for, and none of them twice.

    Parents are read first. A child that is waited for in between is then missing, which the next look makes good;
    the other way around it would be counted as itself and as its parent's.
    """
    oldest_first = [process.pid for process in sorted(map(process_of, pids), key=_age) if process is not None]
    taken = [found for pid in oldest_first if (found := taken_by_process(pid)) is not None]
    return Usage(
        cpu_seconds=_seconds(sum(one.cpu_seconds for one in taken)),
        memory_bytes=sum(one.resident for one in taken),
        memory_peak_bytes=sum(one.resident if one.peak is None else one.peak for one in taken),
        processes=len(taken),
        read_bytes=_known(one.read for one in taken),
        written_bytes=_known(one.written for one in taken),
        cpu_source="proc",
        memory_source="proc",
        io_source="proc",
    )


def _age(process: Process | None) -> int:
    return 0 if process is None else process.started


def _known(figures: Iterable[int | None]) -> int | None:
    """Return the sum of what could be read; None where nothing could."""
    read = [figure for figure in figures if figure is not None]
    return sum(read) if read else None


def at_end(agent: Agent) -> Usage | None:
    """Return what an agent took whose own process has ended and is not reaped yet; None where nothing tells."""
    if agent.process is None:
        return None
    own = _by_rusage(agent.process) if agent.is_child else None
    usage = _of_group(agent.cgroup, (own or _by_proc(agent.process)).at_least(agent.usage)).at_end
    return None if usage == Usage() else usage


def with_rest(agent: Agent) -> Usage | None:
    """Return what an ended agent has taken by now with what it left behind; None where that is what is stored."""
    stored = Usage.from_json(agent.row.usage)
    usage = None if stored is None else _of_group(agent.cgroup, stored).at_end
    return None if usage == stored else usage


def _by_rusage(process: Process) -> Usage | None:
    if (found := rusage_of(process.pid)) is None:
        return None
    return Usage(
        cpu_seconds=_seconds(found.cpu_seconds),
        memory_peak_bytes=found.largest,
        read_bytes=found.read,
        written_bytes=found.written,
        cpu_source="rusage",
        memory_source=None if found.largest is None else "rusage",
        io_source="rusage",
    )


def _by_proc(process: Process) -> Usage:
    """Return what /proc tells of somebody else's child that has ended: everything but its memory."""
    found = taken_by_process(process.pid)
    if found is None or found.process != process:
        return Usage()
    return Usage(
        cpu_seconds=_seconds(found.cpu_seconds),
        read_bytes=found.read,
        written_bytes=found.written,
        cpu_source="proc",
        io_source=None if found.read is None else "proc",
    )


def _of_group(group: Cgroup | None, otherwise: Usage) -> Usage:
    """Return what the kernel has counted for a group; what it does not count there is as it was found otherwise.

    What was spent before it was moved into the group is not counted there: the first milliseconds.
    """
    if group is None:
        return otherwise
    usage = otherwise
    if spent := group.count("cpu.stat", "usage_usec"):
        usage = replace(usage.at_least(Usage(cpu_seconds=_seconds(spent / 1e6))), cpu_source="cgroup")
    if group.counts_memory and (peak := group.number("memory.peak")) is not None:
        now = group.number("memory.current")
        usage = replace(usage, memory_bytes=now, memory_peak_bytes=peak, memory_source="cgroup")
    if (moved := group.bytes_moved()) is not None:
        usage = replace(usage, read_bytes=moved[0], written_bytes=moved[1], io_source="cgroup")
    return usage


def _seconds(seconds: float) -> float:
    return round(seconds, 6)
