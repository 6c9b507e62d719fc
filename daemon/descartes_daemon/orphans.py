"""Processes that became ours because their parents ended: reaped, shown, ended with the session."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from descartes_daemon.agents import Agents
from descartes_daemon.ending import all_ended
from descartes_local.cgroup2 import is_serving, of_process
from descartes_local.endings import reap
from descartes_local.processes import (
    Children,
    Process,
    Stat,
    command_of,
    environ_of,
    stat_of,
)
from descartes_local.tree import find_tree, kill_tree

_KILL_DEADLINE = 5.0
#: What agents and hooks start, and who indexes for a daemon that was killed, and is about to end.
_MARKS = b"DESCARTES_AGENT_ID=", b"DESCARTES_HOOK_ID=", b"DESCARTES_INDEXER="


class Orphans:
    """Children of this daemon that are no agent's own program."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        #: What is the supervisor's child in our place: left by earlier daemons, or by agents these had started.
        self._elsewhere: list[Process] = []
        self._has_adopted = False
        self._children = Children()

    async def begin(self) -> None:
        """Reap from now on."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)
        self._reap()
        await self._ask()
        self._has_adopted = bool(self._elsewhere) or any(
            agent.process is not None and not agent.is_child for agent in self._agents.present.values()
        )

    @property
    def lie_elsewhere(self) -> bool:
        """Whether the supervisor may have some: an adopted agent is its child, and so is what that forks away."""
        return self._has_adopted

    async def look(self) -> None:
        """See what came to the supervisor meanwhile."""
        if self._has_adopted:
            await self._ask()

    async def _ask(self) -> None:
        found = await asyncio.to_thread(self._agents.keeping.orphans, self._agents.place.session_id)
        self._elsewhere = [process for process, _ in found]

    def _reap(self) -> None:
        """Reap dead orphans only: how an agent ended is stored first."""
        others = self._leaders() | self._agents.helpers
        for pid in self._children.pids():
            if pid not in others and (found := stat_of(pid)) is not None and found.is_dead:
                reap(pid)

    def _leaders(self) -> set[int]:
        return {agent.process.pid for agent in self._agents.present.values() if agent.process is not None}

    def unattributed(self) -> list[dict[str, Any]]:
        """Return those without any mark of whose they are (methods.Unattributed)."""
        session = self._agents.place.session_id
        return [
            {"pid": process.pid, "session_id": session, "command": command_of(process.pid)}
            for process in self._unmarked()
        ]

    def _unmarked(self) -> list[Process]:
        leaders = self._leaders()
        ours = [stat_of(pid) for pid in self._children.pids() if pid not in leaders]
        theirs = [stat for process in self._elsewhere if (stat := stat_of(process.pid)) and stat.process == process]
        return [
            stat.process
            for stat in (*ours, *theirs)
            if stat is not None and stat.process.pid not in leaders and not self._is_attributed(stat, leaders)
        ]

    def _is_attributed(self, stat: Stat, leaders: set[int]) -> bool:
        if stat.is_dead or stat.session in leaders or stat.session == os.getsid(0):
            return True
        known = set().union(*(agent.rest for agent in self._agents.present.values()))
        pid = stat.process.pid
        environ = environ_of(pid)
        is_marked = any(mark in environ for mark in _MARKS)
        return stat.process in known or is_marked or self._is_in_a_group(pid)

    def _is_in_a_group(self, pid: int) -> bool:
        """Say whether it is in the group of one of our agents, living or ended, or serves somebody else."""
        found = of_process(pid)
        # A supervisor of another home, which an agent's program has started, serves others: it is not ours to end.
        return found is not None and (is_serving(found) or self._agents.place.session_id in found.path.parts)

    def close(self) -> None:
        """Look no more."""
        self._children.close()

    async def end_all(self) -> None:
        """Kill them, with everything below them."""
        await self.look()
        roots = {*self._unmarked(), *self._elsewhere}
        if roots:
            await all_ended(await asyncio.to_thread(kill_tree, lambda: find_tree(roots)), _KILL_DEADLINE)
