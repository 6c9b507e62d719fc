"""Processes that became ours because their parents ended: reaped, shown, ended with the session."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from typing import Any

from descartes_daemon import ending
from descartes_daemon.agents import Agents
from descartes_daemon.effects import all_ended
from descartes_local.processes import (
    Process,
    Stat,
    children_of_self,
    command_of,
    environ_of,
    is_alive,
    stat_of,
)
from descartes_local.tree import find_tree, kill_tree

#: prctl(2): orphans below this process become its children, instead of init's.
_PR_SET_CHILD_SUBREAPER = 36
_KILL_DEADLINE = 5.0


def become_subreaper() -> None:
    """Become the parent of what agents leave; each process must say so for itself."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Orphans:
    """Children of this daemon that are no agent's own program."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        #: What earlier daemons of this session left with the supervisor, asked once.
        self._left_before: list[tuple[Process, str]] = []

    async def begin(self) -> None:
        """Reap from now on."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)
        self._reap()
        self._left_before = await asyncio.to_thread(self._agents.keeping.orphans, self._agents.place.session_id)

    def _reap(self) -> None:
        """Reap dead orphans only: how an agent ended is stored first."""
        leaders = self._leaders()
        for pid in children_of_self():
            if pid not in leaders and (found := stat_of(pid)) is not None and found.is_dead:
                ending.reap(pid)

    def _leaders(self) -> set[int]:
        return {agent.process.pid for agent in self._agents.present.values() if agent.process is not None}

    def unattributed(self) -> list[dict[str, Any]]:
        """Return those without any mark of whose they are (methods.Unattributed)."""
        session = self._agents.place.session_id
        found = [(process, command_of(process.pid)) for process in self._unmarked_children()]
        found += [(process, command) for process, command in self._left_before if is_alive(process)]
        return [{"pid": process.pid, "session_id": session, "command": command} for process, command in found]

    def _unmarked_children(self) -> list[Process]:
        leaders = self._leaders()
        stats = [stat_of(pid) for pid in children_of_self() if pid not in leaders]
        return [stat.process for stat in stats if stat is not None and not self._is_attributed(stat, leaders)]

    def _is_attributed(self, stat: Stat, leaders: set[int]) -> bool:
        if stat.is_dead or stat.session in leaders or stat.session == os.getsid(0):
            return True
        known = set().union(*(agent.rest for agent in self._agents.present.values()))
        return stat.process in known or b"DESCARTES_AGENT_ID=" in environ_of(stat.process.pid)

    async def end_all(self) -> None:
        """Kill them, with everything below them."""
        roots = {*self._unmarked_children(), *(process for process, _ in self._left_before)}
        if roots:
            await all_ended(await asyncio.to_thread(kill_tree, lambda: find_tree(roots)), _KILL_DEADLINE)
