"""Start a program on this machine, in the order in which nothing can be lost.

Terminal and pipe given into keeping → the waiting helper's (pid, start time) committed and its pidfd kept → the word to
go on → the program runs, or the reason why not. A helper whose daemon dies before the word ends without running it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from descartes_core import kept
from descartes_core.agent_life import State
from descartes_core.errors import DeadlineOver, Refused, SpawnFailed
from descartes_core.messages.agents import Spawn
from descartes_core.redaction import redact
from descartes_daemon import surroundings
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.confining import confine, enter, needs_group
from descartes_daemon.launch import Launch, Order
from descartes_daemon.limiting import Limiting
from descartes_daemon.opening import open_anew
from descartes_daemon.start import Start, Starter, all_of
from descartes_daemon.unit import Unit
from descartes_daemon.watching import Watch
from descartes_local.probe import reached
from descartes_local.processes import boot_id, send_signal


class StarterHere(Starter):
    """Starts programs as children of this daemon."""

    def __init__(
        self, agents: Agents, watch: Watch, limiting: Limiting, configured: list[str], soft_nofile: int | None
    ) -> None:
        self.agents, self.watch, self.limiting = agents, watch, limiting
        self._configured = configured
        #: The soft descriptor limit agents are given back; ours is raised.
        self._soft_nofile = soft_nofile

    def order(self, request: Spawn, identity: str) -> Order:
        """Return it with the caller's surroundings."""
        place = self.agents.place
        env = surroundings.environment(request, surroundings.Marks(identity, place.session_id, place.socket))
        command = surroundings.command(request, self._configured, env)
        cwd = surroundings.working_directory(request, place.workspace)
        return Order(command, cwd, env, request.umask, self._soft_nofile)

    def begin(self, agent: Agent, order: Order, *, patience: float | None) -> Start:
        """Open logs and terminal, or pipe, and start the helper, which waits."""
        agent.is_child = True
        order = confine(agent, self.agents.cgroups, order)
        try:
            opened = open_anew(agent, self.agents.keeping)
        except SpawnFailed:
            self.agents.leave_group(agent)
            raise
        agent.body, agent.process = opened.body, opened.launch.process
        if not needs_group(agent):
            self.agents.background.start(enter(agent), f"control group of {agent.id}")
        self.watch.begin(agent, opened.pidfd)
        return StartHere(self, agent, opened.launch, order, patience)


class StartHere(Start):
    """A helper that waits for the word."""

    def __init__(
        self, starter: StarterHere, agent: Agent, launch: Launch, order: Order, patience: float | None
    ) -> None:
        self._agents, self._limiting = starter.agents, starter.limiting
        self._agent, self._launch, self._order, self._patience = agent, launch, order, patience

    @property
    def evidence(self) -> str:
        """Its process."""
        return f"pid {self._agent.row.pid}"

    def beside(self) -> list[Coroutine[Any, Any, None]]:
        """Keep what it needs, hand over the order, and put it into its group where that holds it within limits."""
        into_group = [enter(self._agent)] if needs_group(self._agent) else []
        return [self._keep(), self._launch.prepare(self._order), *into_group]

    async def run(self) -> None:
        """Say the word, once its process is committed and kept."""
        try:
            async with asyncio.timeout(self._patience):
                await self._run()
        except TimeoutError:
            assert self._agent.process is not None, "its helper was started before"
            send_signal(self._agent.process, signal.SIGKILL)  # what is told as failed must not run later
            raise DeadlineOver(f"agent {self._agent.called} did not start within {self._patience:g} s") from None

    async def _run(self) -> None:
        agent = self._agent
        await all_of(self._commit_process(), self._keep_pidfd())
        reached("spawn.process_committed")
        if agent.row.state is not State.INITIALIZING:
            raise Refused(f"agent {agent.called} was stopped before it ran")
        try:
            await self._launch.go()
        except SpawnFailed as error:
            raise SpawnFailed(f"cannot run {redact(agent.row.command)[0]!r}: {error.message}") from error

    async def _keep(self) -> None:
        agent = self._agent
        assert agent.body is not None, "it was opened just before"
        named = {kept.agent_name(agent.id, part): descriptor for part, descriptor in agent.body.parts.items()}
        agent.is_in_keeping = await self._agents.keeping.keep(named)

    async def _keep_pidfd(self) -> None:
        agent = self._agent
        if agent.is_in_keeping and self._launch.pidfd >= 0:
            named = {kept.agent_name(agent.id, kept.PIDFD): self._launch.pidfd}
            agent.is_in_keeping = await self._agents.keeping.keep(named)

    async def _commit_process(self) -> None:
        agent = self._agent
        assert agent.process is not None, "its helper was started before"
        process, boot = agent.process, boot_id()
        agent.row = replace(agent.row, pid=process.pid, process_started=process.started, boot_id=boot)
        await self._agents.store.commit(Unit().set_process(agent.id, process.pid, process.started, boot))

    def begun(self) -> None:
        """Watch its limits."""
        self._limiting.begin(self._agent)

    def close(self) -> None:
        """Close our side of the helper's socket: it ends without the word."""
        self._launch.close()
