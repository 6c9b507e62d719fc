"""Everything a program started: found, signalled, ended as one.

A process group is not enough: job-control shells and coding agents leave it, detach, and fork twice. A process belongs
to a tree by its parent, by a session that a member leads, by a mark in its environment, or, and that is exact, by its
control group. What has shed all of these while nobody looked cannot be attributed, and is not guessed here.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping

from descartes_local.processes import Process, Stat, environ_of, every_stat, has_mark, is_alive, mark_of, send_signal

#: How long stopping a tree may take before it is killed as far as it was found.
_FREEZE_DEADLINE = 1.0

#: An exec takes some microseconds; its process shows no environment meanwhile.
_EXEC_TRIES, _EXEC_PAUSE = 5, 0.002

Find = Callable[[], set[Process]]


def find_tree(
    roots: Iterable[Process], mark: tuple[str, str] | None = None, members: Callable[[], Iterable[int]] = tuple
) -> set[Process]:
    """Return the living processes of the trees under these roots, which may have ended themselves.

    Args:
        roots: what was started, or was seen to belong to it before.
        mark: name and value of an environment variable that only its members have.
        members: tells the pids in its control group, where it has one. Asked after the walk: a pid that has passed to
            a member meanwhile comes with a start time that nobody has, and so harms nobody.

    """
    stats = {stat.process.pid: stat for stat in every_stat()}
    wanted = set(roots)
    found = {process.pid for process in wanted if _is_there(stats, process)}
    # A session keeps its number as long as it has members: when its leader is gone nobody else can have that pid.
    sessions = {process.pid for process in wanted if process.pid not in stats or _is_there(stats, process)}
    if mark is not None:
        found |= {pid for pid, stat in stats.items() if not stat.is_dead and has_mark(_environ(stat), *mark)}
    found |= {pid for pid in members() if pid in stats}
    found -= {os.getpid(), os.getppid()}
    _grow(found, sessions, stats)
    return {stats[pid].process for pid in found if not stats[pid].is_dead}


def find_trees(trees: Mapping[str, Collection[Process]], mark: str) -> dict[str, set[Process]]:
    """Return the living processes of many trees from one walk.

    Args:
        trees: what is known of each, by the value of its members' mark.
        mark: the name of an environment variable that only members have.

    """
    stats = {stat.process.pid: stat for stat in every_stat()}
    found = {value: {process.pid for process in known if _is_there(stats, process)} for value, known in trees.items()}
    for pid in stats:
        if (value := mark_of(environ_of(pid), mark)) in found:
            found[value].add(pid)
    for value, pids in found.items():
        pids -= {os.getpid(), os.getppid()}
        gone = {process.pid for process in trees[value] if process.pid not in stats}
        _grow(pids, gone | pids, stats)
    return {value: {stats[pid].process for pid in pids if not stats[pid].is_dead} for value, pids in found.items()}


def _environ(stat: Stat) -> bytes:
    """Return the environment of a process; one that came to us in the middle of its exec has none for a moment."""
    found = environ_of(stat.process.pid)
    # The supervisor's own parent is init, whose children are everybody's.
    is_near = stat.parent in {os.getpid(), os.getppid()} - {1}
    for _ in range(_EXEC_TRIES if is_near else 0):
        if found:
            break
        time.sleep(_EXEC_PAUSE)
        found = environ_of(stat.process.pid)
    return found


def _is_there(stats: dict[int, Stat], process: Process) -> bool:
    return process.pid in stats and stats[process.pid].process == process


def _grow(found: set[int], sessions: set[int], stats: dict[int, Stat]) -> None:
    ours = {os.getpid(), 1}
    while True:
        leaders = sessions | {pid for pid in found if stats[pid].session == pid}
        more = {
            pid
            for pid, stat in stats.items()
            if pid not in found and pid not in ours and (stat.parent in found or stat.session in leaders)
        }
        if not more:
            return
        found |= more


def signal_all(processes: Iterable[Process], number: int) -> None:
    """Send a signal to each that is still there."""
    for process in sorted(processes):
        send_signal(process, number)


def alive(processes: Collection[Process]) -> set[Process]:
    """Return those that still run."""
    return {process for process in processes if is_alive(process)}


def freeze_tree(find: Find) -> set[Process]:
    """Stop a tree for good: walk and stop until a walk finds no new one and all stand still."""
    stopped: set[Process] = set()
    deadline = time.monotonic() + _FREEZE_DEADLINE
    while time.monotonic() < deadline:
        found = find()
        new = found - stopped
        signal_all(new, signal.SIGSTOP)
        stopped |= new
        # SIGSTOP is delivered a little later on another processor, and until then its target may still fork.
        if not new and all(_stands_still(process) for process in stopped):
            break
        os.sched_yield()
    return stopped


def _stands_still(process: Process) -> bool:
    try:
        with open(f"/proc/{process.pid}/stat", "rb") as file:
            state = file.read().rpartition(b") ")[2][:1]
    except OSError:
        return True
    return state in b"TtZXxD"


def kill_tree(find: Find) -> set[Process]:
    """End a tree: stop it so that it cannot fork any more, then kill all of it. Return what was killed."""
    found = freeze_tree(find)
    signal_all(found, signal.SIGKILL)
    return found
