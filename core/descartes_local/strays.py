"""What agents left running in sessions that nobody serves."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from descartes_local.home import Home
from descartes_local.processes import Process, command_of, environ_of, every_stat, mark_of, wait_for_end
from descartes_local.tree import find_tree, kill_tree, signal_all


class Stray(NamedTuple):
    """A living process that an agent of this home left, by the marks in its environment."""

    process: Process
    session_id: str
    agent_id: str
    command: str


def find_strays(home: Home, served: Collection[str]) -> list[Stray]:
    """Return those of all sessions but the served; never ourselves or who started us."""
    stats = {stat.process.pid: stat for stat in every_stat()}
    ours = set(_upwards(os.getpid(), {pid: stat.parent for pid, stat in stats.items()}))
    found = []
    for pid, stat in stats.items():
        if stat.is_dead or pid in ours:
            continue
        environ = environ_of(pid)
        session, agent = (mark_of(environ, f"DESCARTES_{name}_ID") for name in ("SESSION", "AGENT"))
        if session is None or agent is None or session in served:
            continue
        if mark_of(environ, "DESCARTES_SOCKET") == str(home.daemon_socket(session)):  # else it is another home's
            found.append(Stray(stat.process, session, agent, command_of(pid)))
    return found


def _upwards(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid in parents:
        yield pid
        pid = parents.pop(pid)


def end_strays(strays: Iterable[Stray], grace: float) -> None:
    """Ask them to end; after the grace kill what is left of them, and what they started."""
    roots = {stray.process for stray in strays}
    signal_all(roots, signal.SIGTERM)
    signal_all(roots, signal.SIGCONT)
    _wait(roots, grace)
    kill_tree(lambda: find_tree(roots))
    _wait(roots, grace)


def _wait(processes: Iterable[Process], seconds: float) -> None:
    """Wait until all have ended, so long at most."""
    ends = time.monotonic() + seconds
    for process in processes:
        wait_for_end(process, ends - time.monotonic())
