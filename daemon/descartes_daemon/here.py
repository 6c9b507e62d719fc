"""Agents on this machine: signals to their trees."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterable
from dataclasses import replace

from descartes_core.agent_life import State
from descartes_core.errors import Refused, Unavailable
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.ending import all_ended
from descartes_daemon.environ import environment_of
from descartes_daemon.side import Side
from descartes_daemon.unit import Unit
from descartes_daemon.usage import look, with_rest
from descartes_local.deadline import to_wall
from descartes_local.probe import reached
from descartes_local.processes import Process, send_signal
from descartes_local.tree import freeze_tree, signal_all

_log = logging.getLogger(__name__)

#: What was killed is gone within this; a process in a sleep that cannot be interrupted may take longer.
_KILL_DEADLINE = 5.0
#: What forks faster than it is found is killed again.
_KILL_TRIES = 3


class Here(Side):
    """Does it to processes."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    async def ask_to_end(self, agent: Agent) -> None:
        """Send the agent's own stop signal to all of its tree, after a last look at what it takes."""
        await asyncio.to_thread(look, [agent])
        found = await asyncio.to_thread(agent.find_tree)
        agent.rest |= found
        signal_all(found, signal.Signals[agent.row.stop_signal])

    async def kill_tree(self, agent: Agent) -> None:
        """Kill all of it, now."""
        agent.kill_at = time.monotonic()
        agent.rest |= await asyncio.to_thread(agent.kill_tree)
        reached("agent.killed")

    async def pause_tree(self, agent: Agent) -> None:
        """Stop all of it until it is continued."""
        async with agent.acting:
            if agent.row.state is State.PAUSED:
                agent.rest |= await asyncio.to_thread(freeze_tree, agent.find_tree)

    async def continue_tree(self, agent: Agent) -> None:
        """Let all of it go on."""
        async with agent.acting:
            signal_all(await asyncio.to_thread(agent.find_tree), signal.SIGCONT)

    async def remember(self, agent: Agent) -> None:
        """Kill it: what is lost here is its terminal, not its processes."""
        await self.kill_tree(agent)

    async def finish(self, agent: Agent) -> None:
        """Ask what an ended agent left behind, and kill it after the grace; recorded till then."""
        if not agent.row.leave:
            await self.end_tree(agent)
        agent.gone.set()
        # What an agent's children write after its end is still recorded, until the last has let go.
        if agent.body is not None:
            await agent.body.silence()
        await self._agents.let_go(agent)

    async def end_tree(self, agent: Agent) -> None:
        """End what there is of an agent's tree: asked, and killed after the grace."""
        if left := await asyncio.to_thread(agent.find_tree):
            await self._ask_rest(agent, left)
            await self._await_rest(agent, left)
        unit = Unit()
        if left and (usage := with_rest(agent)) is not None:
            agent.row = replace(agent.row, usage=usage.as_json())
            unit.set_usage(agent.id, agent.row.usage)
        for process in agent.rest:
            unit.remain_gone(agent.id, process.pid, process.started)
        if agent.rest:
            await self._store(unit)

    async def _ask_rest(self, agent: Agent, left: set[Process]) -> None:
        agent.rest |= left
        if agent.kill_at is None:
            agent.kill_at = time.monotonic() + agent.row.grace
        await self._store_rest(agent, left)
        signal_all(left, signal.Signals[agent.row.stop_signal])
        signal_all(left, signal.SIGCONT)

    async def _await_rest(self, agent: Agent, left: set[Process]) -> None:
        assert agent.kill_at is not None, "it was set when they were asked"
        while left and (patience := agent.kill_at - time.monotonic()) > 0:
            await all_ended(left, patience)
            left = await asyncio.to_thread(agent.find_tree)
        for _ in range(_KILL_TRIES):
            if not left:
                return
            await self.kill_rest(agent)
            left = await asyncio.to_thread(agent.find_tree)
        _log.error("agent %s: %s would not be killed", agent.id, sorted(process.pid for process in left))

    async def _store_rest(self, agent: Agent, left: Iterable[Process]) -> None:
        unit, kill_at = Unit(), to_wall(agent.kill_at or 0.0)
        for process in left:
            unit.remain(agent.id, process.pid, process.started, kill_at)
        await self._store(unit)

    async def _store(self, unit: Unit) -> None:
        """Write for a later daemon what it could also find out: where that cannot be, this one goes on."""
        try:
            await self._agents.store.commit(unit)
        except Unavailable as error:
            _log.error("%s", error)

    async def kill_rest(self, agent: Agent) -> None:
        """Kill what is left of an ended agent now."""
        agent.kill_at = time.monotonic()
        killed = await asyncio.to_thread(agent.kill_tree)
        await all_ended(killed, _KILL_DEADLINE)

    async def environment(self, agent: Agent) -> dict[str, str]:
        """Return what its process began with."""
        return await asyncio.to_thread(environment_of, agent)

    async def signal(self, agent: Agent, number: signal.Signals) -> None:
        """Send one signal to the program itself."""
        if agent.process is None or not send_signal(agent.process, number):
            raise Refused(f"agent {agent.called} has ended")
