"""Wait for an agent's end, drain its log, store how it ended, and only then reap."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time

from descartes_core.agent_life import FINAL, Cause, State
from descartes_core.errors import IllegalTransition
from descartes_daemon import ending
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.unit import Unit
from descartes_daemon.usage import at_end
from descartes_daemon.verdict import verdict
from descartes_local.endings import UNKNOWN, Ending, ending_by_pidfd, peek, reap
from descartes_local.probe import reached
from descartes_local.processes import Process

_log = logging.getLogger(__name__)

#: Until there is a descriptor again; it doubles.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0


class Watch:
    """Watches agents to their end."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    def begin(self, agent: Agent, pidfd: int | None) -> None:
        """Watch one agent, from its start helper on, and take over its pidfd (None: it is gone already)."""
        agent.pidfd = pidfd
        self._agents.background.start(self._to_the_end(agent), f"watch {agent.id}")

    async def _to_the_end(self, agent: Agent) -> None:
        try:
            if agent.pidfd is not None:
                await ending.ended(agent.pidfd)
            reached("agent.exited")
            await agent.launched.wait()
            if agent.row.state not in FINAL:
                await self._store_end(agent, await self._how(agent))
        finally:
            if agent.pidfd is not None:
                os.close(agent.pidfd)
                agent.pidfd = None
        await self._reap(agent)
        self._agents.leave_group(agent)  # that of a program that could not be executed held its helper till now
        agent.ended.set()

    async def _how(self, agent: Agent) -> Ending:
        """Look, where it is our child; else ask the kernel, and who may have seen it before it was reaped."""
        if agent.process is None:
            return UNKNOWN
        try:
            return peek(agent.process.pid) or UNKNOWN
        except ChildProcessError:
            return await self._asked(agent, agent.process)

    async def _asked(self, agent: Agent, process: Process) -> Ending:
        """Ask again later where no descriptor is free to ask by: what nobody has committed nobody forgets."""
        pause = _FIRST_PAUSE
        while True:
            try:
                found = None if agent.pidfd is None else ending_by_pidfd(agent.pidfd)
                return found or await asyncio.to_thread(self._agents.keeping.ask_ending, process) or UNKNOWN
            except OSError as error:
                _log.warning("how agent %s ended cannot be asked now: %s", agent.id, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _store_end(self, agent: Agent, how: Ending) -> None:
        await self._drain(agent)
        await self._store_limit(agent, how)
        now, usage = time.time(), at_end(agent)
        taken = None if usage is None else usage.as_json()

        def facts(unit: Unit) -> Unit:
            return unit.set_ended(agent.id, now, how.exit_code, how.signal).set_usage(agent.id, taken)

        is_lost = agent.row.state is State.LOST
        evidence = f"{how}; {agent.row.evidence}" if is_lost and agent.row.evidence else str(how)
        cause = Cause.GIVEN_UP if is_lost and how == UNKNOWN else Cause.ENDED_WELL if how.is_well else Cause.ENDED_BADLY
        ended = {"ended_at": now, "exit_code": how.exit_code, "signal": how.signal, "usage": taken}
        await self._agents.insist(agent, cause, evidence=evidence, facts=facts, **ended)
        reached("agent.end_stored")

    async def _store_limit(self, agent: Agent, how: Ending) -> None:
        """Store which limit ended it, where that is not stored yet: the kernel may have been quicker than we."""
        why = agent.over or (None if how.is_well else verdict(agent.cgroup, agent.row.limits))
        if why is not None and agent.row.state in (State.RUNNING, State.PAUSED):
            agent.over = why

            def facts(unit: Unit) -> Unit:
                return unit.set_ended_by(agent.id, why)

            with contextlib.suppress(IllegalTransition):
                await self._agents.insist(agent, Cause.LIMIT_HIT, evidence=why, facts=facts, ended_by=why)

    async def _drain(self, agent: Agent) -> None:
        """Who sees the exit code can read everything the program itself wrote."""
        if agent.body is not None:
            await agent.body.drain()

    async def _reap(self, agent: Agent) -> None:
        if agent.process is None:
            return
        if agent.is_child:
            reap(agent.process.pid)
        else:
            await asyncio.to_thread(self._agents.keeping.tell_committed, agent.process)
