"""What each method about agents does."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import Any

from descartes_core.agent_life import Cause, State
from descartes_core.errors import (
    DeadlineOver,
    IllegalTransition,
    NeverSpawned,
    OutcomeUnknown,
    Refused,
    SpawnFailed,
    Unavailable,
)
from descartes_core.messages.agents import Signal, Spawn, Stop, WaitAgent
from descartes_core.messages.common import ChangeAgent
from descartes_core.messages.terminals import Write
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.asking import Asking
from descartes_daemon.effects import Effects
from descartes_daemon.spawning import Spawner
from descartes_daemon.surroundings import signal_named
from descartes_daemon.unit import Unit

#: A tree is gone soon after KILL, but for processes in a sleep that cannot be interrupted.
_GONE_DEADLINE = 30.0
_HEARD_DEADLINE = 30.0

Reply = dict[str, Any]


class Verbs:
    """The methods that change or read agents; each takes a checked request."""

    def __init__(self, agents: Agents, spawner: Spawner, effects: Effects) -> None:
        self._agents = agents
        self._spawner = spawner
        self._effects = effects

    async def spawn(self, request: Spawn, asking: Asking) -> Reply:
        """agent.spawn: start a program."""
        return {"agent": (await self._spawner.spawn(request, asking)).info()}

    async def spawned_before(self, request: Spawn, _asking: Asking) -> Reply:
        """Answer the repeat of a spawn whose answer was lost."""
        if request.agent_id is None:
            raise OutcomeUnknown("the daemon was killed during this spawn; look at the list of agents")
        agent = await self._agents.find(request.agent_id)
        with contextlib.suppress(TimeoutError):  # one that runs elsewhere is heard of when its runner is
            async with asyncio.timeout(_HEARD_DEADLINE):
                await agent.launched.wait()
        if agent.row.cause == Cause.NEVER_SPAWNED:
            raise NeverSpawned(f"agent {agent.called} has not run: its daemon was killed before; spawn it again")
        if agent.row.cause == Cause.EXEC_FAILED:
            raise SpawnFailed(agent.row.evidence)
        if agent.is_alive and agent.row.started_at is None:
            raise Unavailable(f"whether agent {agent.called} runs on {agent.row.host} is not known yet: ask again")
        return {"agent": agent.info()}

    async def pause(self, request: ChangeAgent, asking: Asking) -> Reply:
        """agent.pause: stop all of its tree for a while."""
        return await self._move(request, asking, Cause.PAUSE_ASKED)

    async def resume(self, request: ChangeAgent, asking: Asking) -> Reply:
        """agent.resume: let it go on."""
        return await self._move(request, asking, Cause.RESUME_ASKED)

    async def _move(self, request: ChangeAgent, asking: Asking, cause: Cause) -> Reply:
        agent = await self._agents.find(request.agent_id)
        await self._agents.move(agent, cause, evidence=asking.evidence, request_id=asking.id, facts=asking.accepted)
        if agent.acts is not None:
            await asyncio.wait([agent.acts])
        return {"agent": agent.info()}

    async def show(self, request: ChangeAgent, _asking: Asking) -> Reply:
        """Answer the repeat of a change that was stored before its answer was lost."""
        return {"agent": (await self._agents.find(request.agent_id)).info()}

    async def stop(self, request: Stop, asking: Asking) -> Reply:
        """agent.stop: ask it to end, kill it after the grace; answered when all of it is gone."""
        agent = await self._agents.find(request.agent_id)
        grace = agent.row.grace if request.grace is None else request.grace
        if agent.is_alive and agent.row.state is not State.STOPPING:
            agent.kill_at = time.monotonic() + grace
        return await self._end(agent, asking, Cause.STOP_ASKED, grace + _GONE_DEADLINE)

    async def kill(self, request: ChangeAgent, asking: Asking) -> Reply:
        """agent.kill: kill all of its tree now; answered when it is gone."""
        agent = await self._agents.find(request.agent_id)
        return await self._end(agent, asking, Cause.KILL_ASKED, _GONE_DEADLINE)

    async def _end(self, agent: Agent, asking: Asking, cause: Cause, patience: float) -> Reply:
        if not agent.is_alive and not agent.gone.is_set():
            # It has ended, what it left behind has not.
            if cause is Cause.KILL_ASKED:
                await self._effects.side(agent).kill_rest(agent)
        else:
            await self._ask_for_end(agent, asking, cause)
        await self._wait_gone(agent, patience)
        return {"agent": agent.info()}

    async def _ask_for_end(self, agent: Agent, asking: Asking, cause: Cause) -> None:
        try:
            await self._agents.move(agent, cause, evidence=asking.evidence, request_id=asking.id, facts=asking.accepted)
        except IllegalTransition:
            # Who asks for what is on the way already waits for it, like the first.
            if agent.row.state is not State.STOPPING:
                raise
        except Unavailable:
            # A full disk must not keep anybody from ending what fills it.
            if cause is Cause.KILL_ASKED and agent.is_alive:
                await self._effects.side(agent).kill_tree(agent)
            raise

    async def gone_before(self, request: ChangeAgent, _asking: Asking) -> Reply:
        """Answer the repeat of a stop or kill: wait for what was begun."""
        agent = await self._agents.find(request.agent_id)
        await self._wait_gone(agent, max(agent.row.grace, agent.row.stop_grace or 0.0) + _GONE_DEADLINE)
        return {"agent": agent.info()}

    async def _wait_gone(self, agent: Agent, patience: float) -> None:
        if agent.is_alive and not self._effects.side(agent).reaches(agent):
            if agent.acts is not None:
                await asyncio.wait([agent.acts])  # which may give it up
            if agent.is_alive:
                raise Unavailable(f"agent {agent.called} cannot be reached: it is ended when it is found again")
        try:
            async with asyncio.timeout(patience):
                await agent.gone.wait()
                await agent.ended.wait()
        except TimeoutError:
            raise DeadlineOver(f"agent {agent.called} still has processes after {patience:.0f} s") from None

    async def signal(self, request: Signal, asking: Asking) -> Reply:
        """agent.signal: one signal to the program itself."""
        agent = await self._agents.find(request.agent_id)
        number = signal_named(request.signal)
        if not agent.is_alive:
            raise Refused(f"agent {agent.called} has ended")
        if number in (signal.SIGSTOP, signal.SIGCONT):
            raise Refused("use pause and resume: they reach the whole tree, and are remembered")
        # What is not in the store cannot be told from what was not done.
        await self._agents.store.commit(asking.accepted(Unit()))
        await self._effects.side(agent).signal(agent, number)
        return {}

    async def unknown_before(self, request: Write | Signal, _asking: Asking) -> Reply:
        """Refuse the repeat of what cannot be looked up, and must not be done twice."""
        raise OutcomeUnknown(
            f"the daemon was killed while it did this to {request.agent_id}: look at its output before you repeat it"
        )

    async def wait(self, request: WaitAgent) -> Reply:
        """agent.wait: until it ends, or the time is over."""
        agent = await self._agents.find(request.agent_id)
        try:
            async with asyncio.timeout(request.timeout):
                await agent.ended.wait()
        except TimeoutError:
            return {"agent": agent.info(), "ended": False}
        return {"agent": agent.info(), "ended": True}
