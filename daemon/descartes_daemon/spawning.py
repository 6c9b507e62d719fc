"""Start an agent, here or elsewhere, in the order in which nothing can be lost.

Intent committed → started where it is to run → that committed → reply. Nothing ever runs that no row knows. What a
start consists of is told in `start_here.py`, and in `remote`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass, replace

from descartes_core.agent_life import Cause, State
from descartes_core.errors import (
    AlreadyExists,
    DescartesError,
    IllegalTransition,
    InvalidParams,
    LimitReached,
    NameTaken,
    Refused,
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
from descartes_daemon.confining import wanted
from descartes_daemon.launch import Order
from descartes_daemon.room import Room
from descartes_daemon.shortage import Spare
from descartes_daemon.start import Start, Starter, all_of
from descartes_daemon.unit import Unit
from descartes_local.probe import reached

#: How long the answer to a failed spawn waits for the failure to be stored (seconds).
_STORE_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Habits:
    """What an agent gets when its caller does not say."""

    grace: float
    rows: int
    cols: int
    most_agents: int
    #: Words of a command line, characters of a name, bytes of an environment.
    max_arguments: int
    max_name: int
    max_environment: int


class Spawner:
    """Starts agents; concurrent spawns do not wait for one another."""

    def __init__(
        self,
        agents: Agents,
        here: Starter,
        habits: Habits,
        spare: Spare,
        place: Callable[[Spawn], Awaitable[Starter]],
        tasks: Room,
    ) -> None:
        self._agents = agents
        self._here = here
        self._habits = habits
        self._spare = spare
        #: Finds the place for an agent that is to run elsewhere, and waits for one where that was asked for.
        self._place = place
        #: Opened only for who is started for a task.
        self._tasks = tasks

    async def spawn(self, request: Spawn, asking: Asking) -> Agent:
        """Start what is asked for; return once its program runs.

        Raises:
            SpawnFailed, Shortage, DeadlineOver: it cannot be executed, or not be kept over this daemon's death, or not
                in time; a failed agent with the reason stays in the history.
            NameTaken, AlreadyExists, LimitReached, Shortage, InvalidParams, TaskNotFound: nothing was started, nothing
                is stored.

        """
        await self._refuse_known(request)
        request = await self._with_task(request)
        starter = self._here if request.on is None else await self._place(request)
        agent, order = self._intend(request, starter, asking.owner)
        start = starter.begin(agent, order, patience=request.within)
        self._agents.present[agent.id] = agent
        try:
            await self._start(agent, start, asking)
        except DescartesError as error:
            start.close()
            await self._fail(agent, error)
            raise
        finally:
            start.close()
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

    async def _with_task(self, request: Spawn) -> Spawn:
        """Return the request with its task's whole id, in the environment too."""
        if request.task is None:
            return request
        task = await self._tasks.method("carried")(request.task)
        return request.model_copy(update={"task": task, "extra_env": {**request.extra_env, surroundings.TASK: task}})

    def _intend(self, request: Spawn, starter: Starter, owner: str | None) -> tuple[Agent, Order]:
        if self._agents.is_closing:
            raise Refused("this daemon is ending: it starts nothing more")
        identity = request.agent_id or new_id()
        if identity in self._agents.present:
            raise AlreadyExists(f"agent {identity} exists already")
        living = self._agents.living
        if len(living) >= self._habits.most_agents:
            raise LimitReached(f"{len(living)} agents are alive, which is the limit (agents.max_agents)")
        self._spare.check()
        order = starter.order(request, identity)
        self._check_sizes(request, order)
        taken = {agent.row.name for agent in living if agent.row.owner == owner}
        name = _name_for(redact(order.command), identity, taken) if request.name is None else request.name
        check_name(name, LONGEST_NAME if request.name is None else self._habits.max_name)
        if name in taken:
            raise NameTaken(f"an agent called {name!r} is alive in this session: choose another name")
        row = AgentRow(
            id=identity,
            name=name,
            command=tuple(order.command),
            cwd=order.cwd,
            rows=request.rows or self._habits.rows,
            cols=request.cols or self._habits.cols,
            grace=self._habits.grace if request.grace is None else request.grace,
            stop_signal=surroundings.stop_signal(request, order.command),
            leave=request.leave,
            umask=request.umask,
            created_at=time.time(),
            tty=request.tty,
            limits=wanted(request),
            host=starter.host,
            host_key=starter.host_key,
            owner=owner,
            task=request.task,
        )
        outputs, session_id = self._agents.outputs, self._agents.place.session_id
        agent = Agent(row, session_id, outputs.of(row), outputs.errors_of(row), is_stored=False)
        return agent, order

    def _check_sizes(self, request: Spawn, order: Order) -> None:
        """Refuse what is larger than configured, before anything is opened."""
        habits = self._habits
        bytes_of_env = sum(len(os.fsencode(f"{name}={value}")) + 1 for name, value in order.env.items())
        for what, size, most, key in (
            ("words of the command line", len(order.command), habits.max_arguments, "max_arguments"),
            ("characters of the name", len(request.name or ""), habits.max_name, "max_name"),
            ("bytes of the environment", bytes_of_env, habits.max_environment, "max_environment"),
        ):
            if size > most:
                raise InvalidParams(f"{size} {what} are too many: {most} are allowed (agents.{key})")

    async def _start(self, agent: Agent, start: Start, asking: Asking) -> None:
        async with agent.moving:  # who would move it waits until its row is there
            await all_of(self._commit_intent(agent, asking), *start.beside())
        reached("spawn.intent_committed")
        await start.run()
        reached("spawn.running")
        await self._commit_running(agent, start, asking)

    async def _commit_intent(self, agent: Agent, asking: Asking) -> None:
        data = {"name": agent.row.name, "status": agent.row.state, "command": in_brief(redact(agent.row.command))}
        data |= agent.row.carried
        unit = Unit().add_agent(agent.row).event("AgentEvent", "spawned", agent.id, data, agent.row.created_at)
        await self._agents.store.commit(asking.accepted(unit))
        agent.is_stored = True

    async def _commit_running(self, agent: Agent, start: Start, asking: Asking) -> None:
        now = time.time()
        # One commit for both: on a disk, each takes longer than all else here.
        told = {**agent.info(), **start.known, "status": State.RUNNING.value, "started_at": written(now)}
        answer = {"agent": told}

        def facts(unit: Unit) -> Unit:
            return asking.answered(start.facts(unit.set_started(agent.id, now)), answer)

        known = {"started_at": now, **start.known}
        try:
            await self._agents.insist(
                agent,
                Cause.SPAWNED,
                evidence=f"{start.evidence}, {asking.evidence}",
                request_id=asking.id,
                facts=facts,
                **known,
            )
        except IllegalTransition:
            return  # it was asked to end meanwhile: its end is on the way
        asking.answer = answer
        start.begun()
        if agent.row.task is not None:
            self._tasks.method("begun")(agent.row)

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


def _name_for(command: Sequence[str], identity: str, taken: Container[str]) -> str:
    """Return the program's name, cleaned of what a name may not hold, and as much of the id as tells it apart."""
    base = os.path.basename(command[0]).lstrip("-")
    clean = "".join(letter for letter in base if letter.isprintable())[:40]
    names = [f"{clean or 'agent'}-{identity[:length]}" for length in (4, 8, len(identity))]
    return next((name for name in names if name not in taken), names[-1])
