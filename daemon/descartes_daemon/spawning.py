"""Start an agent, in the order in which nothing can be lost.

Intent committed → terminal and pipe given into keeping → the waiting helper's (pid, start time) committed and its
pidfd kept → the word to go on → the program runs, or the reason why not → reply. A helper whose daemon dies before the
word ends without running anything: nothing ever runs that no row knows.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Container, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

from descartes_core import kept
from descartes_core.agent_life import Cause, State
from descartes_core.errors import (
    AlreadyExists,
    DescartesError,
    IllegalTransition,
    InvalidParams,
    LimitReached,
    NameTaken,
    Refused,
    SpawnFailed,
)
from descartes_core.events import in_brief
from descartes_core.ids import LONGEST_NAME, check_name, new_id
from descartes_core.messages.agents import Spawn
from descartes_core.redaction import redact
from descartes_core.times import written
from descartes_daemon import surroundings
from descartes_daemon.agent import Agent
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.agents import Agents
from descartes_daemon.asking import Asking
from descartes_daemon.confining import confine, enter, needs_group, wanted
from descartes_daemon.launch import Launch, Order
from descartes_daemon.limiting import Limiting
from descartes_daemon.opening import open_anew
from descartes_daemon.shortage import Spare
from descartes_daemon.unit import Unit
from descartes_daemon.watching import Watch
from descartes_local.probe import reached
from descartes_local.processes import boot_id

#: How long the answer to a failed spawn waits for the failure to be stored (seconds).
_STORE_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Habits:
    """What an agent gets when its caller does not say."""

    command: list[str]
    grace: float
    rows: int
    cols: int
    most_agents: int
    #: Words of a command line, characters of a name, bytes of an environment.
    max_arguments: int
    max_name: int
    max_environment: int
    #: The soft descriptor limit agents are given back; ours is raised.
    soft_nofile: int | None


class Spawner:
    """Starts agents; concurrent spawns do not wait for one another."""

    def __init__(self, agents: Agents, watch: Watch, limiting: Limiting, habits: Habits, spare: Spare) -> None:
        self._agents = agents
        self._limiting = limiting
        self._watch = watch
        self._habits = habits
        self._spare = spare

    async def spawn(self, request: Spawn, asking: Asking) -> Agent:
        """Start what is asked for; return once its program runs.

        Raises:
            SpawnFailed, Shortage: it cannot be executed, or not be kept over this daemon's death; a failed agent with
                the reason stays in the history.
            NameTaken, AlreadyExists, LimitReached, Shortage, InvalidParams: nothing was started, nothing is stored.

        """
        await self._refuse_known(request)
        agent, order = self._intend(request)
        order = confine(agent, self._agents.cgroups, order)
        launch = self._open(agent)
        self._agents.present[agent.id] = agent
        try:
            await self._start(agent, launch, order, asking)
        except DescartesError as error:
            launch.close()
            await self._fail(agent, error)
            raise
        finally:
            launch.close()
            if agent.row.state is not State.INITIALIZING or not agent.is_stored:
                agent.launched.set()
        return agent

    async def _refuse_known(self, request: Spawn) -> None:
        """Refuse an id that an ended agent has: its log is not to be touched."""
        identity = request.agent_id
        if identity is None or not self._agents.place.agent(identity).exists():
            return
        if await self._agents.store.agent(identity) is not None:
            raise AlreadyExists(f"agent {identity} exists already")

    def _intend(self, request: Spawn) -> tuple[Agent, Order]:
        if self._agents.is_closing:
            raise Refused("this daemon is ending: it starts nothing more")
        identity = request.agent_id or new_id()
        if identity in self._agents.present:
            raise AlreadyExists(f"agent {identity} exists already")
        living = self._agents.living
        if len(living) >= self._habits.most_agents:
            raise LimitReached(f"{len(living)} agents are alive, which is the limit (agents.max_agents)")
        self._spare.check()
        marks = surroundings.Marks(identity, self._agents.place.session_id, self._agents.place.socket)
        env = surroundings.environment(request, marks)
        command = surroundings.command(request, self._habits.command, env)
        self._check_sizes(request, command, env)
        taken = {agent.row.name for agent in living}
        name = _name_for(redact(command), identity, taken) if request.name is None else request.name
        check_name(name, LONGEST_NAME if request.name is None else self._habits.max_name)
        if name in taken:
            raise NameTaken(f"an agent called {name!r} is alive in this session: choose another name")
        cwd = surroundings.working_directory(request, self._agents.place.workspace)
        row = AgentRow(
            id=identity,
            name=name,
            command=tuple(command),
            cwd=cwd,
            rows=request.rows or self._habits.rows,
            cols=request.cols or self._habits.cols,
            grace=self._habits.grace if request.grace is None else request.grace,
            stop_signal=surroundings.stop_signal(request, command),
            leave=request.leave,
            umask=request.umask,
            created_at=time.time(),
            tty=request.tty,
            limits=wanted(request),
        )
        outputs, session_id = self._agents.outputs, self._agents.place.session_id
        agent = Agent(row, session_id, outputs.of(row), outputs.errors_of(row), is_stored=False, is_child=True)
        return agent, Order(command, cwd, env, request.umask, self._habits.soft_nofile)

    def _check_sizes(self, request: Spawn, command: list[str], env: Mapping[str, str]) -> None:
        """Refuse what is larger than configured, before anything is opened."""
        habits = self._habits
        bytes_of_env = sum(len(os.fsencode(f"{name}={value}")) + 1 for name, value in env.items())
        for what, size, most, key in (
            ("words of the command line", len(command), habits.max_arguments, "max_arguments"),
            ("characters of the name", len(request.name or ""), habits.max_name, "max_name"),
            ("bytes of the environment", bytes_of_env, habits.max_environment, "max_environment"),
        ):
            if size > most:
                raise InvalidParams(f"{size} {what} are too many: {most} are allowed (agents.{key})")

    def _open(self, agent: Agent) -> Launch:
        """Open logs and terminal, or pipe, and start the helper, which waits."""
        try:
            opened = open_anew(agent, self._agents.keeping)
        except SpawnFailed:
            self._agents.leave_group(agent)
            raise
        agent.body, agent.process = opened.body, opened.launch.process
        if not needs_group(agent):
            self._agents.background.start(enter(agent), f"control group of {agent.id}")
        self._watch.begin(agent, opened.pidfd)
        return opened.launch

    async def _start(self, agent: Agent, launch: Launch, order: Order, asking: Asking) -> None:
        into_group = [enter(agent)] if needs_group(agent) else []
        async with agent.moving:  # who would move it waits until its row is there
            await _all(self._commit_intent(agent, asking), self._keep(agent), launch.prepare(order), *into_group)
        reached("spawn.intent_committed")
        await _all(self._commit_process(agent), self._keep_pidfd(agent, launch))
        reached("spawn.process_committed")
        if agent.row.state is not State.INITIALIZING:
            raise Refused(f"agent {agent.called} was stopped before it ran")
        try:
            await launch.go()
        except SpawnFailed as error:
            raise SpawnFailed(f"cannot run {redact(agent.row.command)[0]!r}: {error.message}") from error
        reached("spawn.running")
        await self._commit_running(agent, asking)

    async def _commit_intent(self, agent: Agent, asking: Asking) -> None:
        data = {"name": agent.row.name, "status": agent.row.state, "command": in_brief(redact(agent.row.command))}
        unit = Unit().add_agent(agent.row).event("AgentEvent", "spawned", agent.id, data, agent.row.created_at)
        await self._agents.store.commit(asking.accepted(unit))
        agent.is_stored = True

    async def _keep(self, agent: Agent) -> None:
        assert agent.body is not None, "it was opened just before"
        named = {kept.agent_name(agent.id, part): descriptor for part, descriptor in agent.body.parts.items()}
        agent.is_kept = await self._agents.keeping.keep(named)

    async def _keep_pidfd(self, agent: Agent, launch: Launch) -> None:
        if agent.is_kept and launch.pidfd >= 0:
            named = {kept.agent_name(agent.id, kept.PIDFD): launch.pidfd}
            agent.is_kept = await self._agents.keeping.keep(named)

    async def _commit_process(self, agent: Agent) -> None:
        assert agent.process is not None, "its helper was started before"
        process, boot = agent.process, boot_id()
        agent.row = replace(agent.row, pid=process.pid, process_started=process.started, boot_id=boot)
        await self._agents.store.commit(Unit().set_process(agent.id, process.pid, process.started, boot))

    async def _commit_running(self, agent: Agent, asking: Asking) -> None:
        now = time.time()
        # One commit for both: on a disk, each takes longer than all else here.
        answer = {"agent": {**agent.info(), "status": State.RUNNING.value, "started_at": written(now)}}

        def facts(unit: Unit) -> Unit:
            return asking.answered(unit.set_started(agent.id, now), answer)

        try:
            await self._agents.insist(
                agent, Cause.SPAWNED, evidence=f"pid {agent.row.pid}", request_id=asking.id, facts=facts, started_at=now
            )
        except IllegalTransition:
            return  # it was asked to end meanwhile: its end is on the way
        asking.answer = answer
        self._limiting.begin(agent)

    async def _fail(self, agent: Agent, error: DescartesError) -> None:
        """Store why it did not run; what was asked for in between (a stop) comes to its own end."""
        if not agent.is_stored:
            # Not even the intent could be: there is no row, and the helper ends by itself.
            agent.row = replace(agent.row, state=State.FAILED)
            await self._agents.let_go(agent)
        elif agent.row.state is State.INITIALIZING:
            # Whoever asked is told soon, also when the store cannot be written for long.
            storing = self._agents.background.start(self._store_failure(agent, error), f"failed {agent.id}")
            await asyncio.wait([storing], timeout=_STORE_PATIENCE)

    async def _store_failure(self, agent: Agent, error: DescartesError) -> None:
        await self._agents.try_move(agent, Cause.EXEC_FAILED, evidence=error.message)
        agent.launched.set()


async def _all(*steps: Coroutine[Any, Any, None]) -> None:
    """Do all at once and each to its end; only then raise the first one's failure."""
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if outcome is not None:
            raise outcome


def _name_for(command: list[str], identity: str, taken: Container[str]) -> str:
    """Return the program's name, cleaned of what a name may not hold, and as much of the id as tells it apart."""
    base = os.path.basename(command[0]).lstrip("-")
    clean = "".join(letter for letter in base if letter.isprintable())[:40]
    names = [f"{clean or 'agent'}-{identity[:length]}" for length in (4, 8, len(identity))]
    return next((name for name in names if name not in taken), names[-1])
