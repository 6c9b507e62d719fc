"""What goes on, what has ended, what is lost: the first thing a daemon does."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import defaultdict
from typing import Any

from descartes_core import agent_life, kept
from descartes_core.agent_life import Cause, State
from descartes_core.redaction import redact
from descartes_daemon import ending
from descartes_daemon.agent import Agent
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.agents import Agents
from descartes_daemon.confining import enter
from descartes_daemon.effects import Effects
from descartes_daemon.launch import has_run
from descartes_daemon.limiting import Limiting
from descartes_daemon.opening import open_kept
from descartes_daemon.unit import Unit
from descartes_daemon.watching import Watch
from descartes_local.deadline import from_wall
from descartes_local.processes import Process, boot_id, is_alive

_log = logging.getLogger(__name__)

#: A start helper whose daemon is gone ends at once; one that was just told to go execs at once.
_HELPER_DEADLINE = 2.0
#: States of agents that have a program, and for which something was kept.
_RAN = agent_life.ALIVE - {State.INITIALIZING, State.LOST}
#: What ended agents left is never given longer than this, whatever the clock says (methods.Grace).
_LONGEST_GRACE = 3600.0


class Adoption:
    """Holds every row that lives against what is in keeping and against (pid, start time)."""

    def __init__(self, agents: Agents, watch: Watch, effects: Effects, limiting: Limiting) -> None:
        self._agents = agents
        self._limiting = limiting
        self._watch = watch
        self._effects = effects
        self._boot = boot_id()
        #: What living agents lost with whoever kept for them, for people and programs.
        self.lost: list[dict[str, Any]] = []
        #: Those that run on other machines, and those that have ended there and are not done with.
        self.elsewhere: list[AgentRow] = []

    async def run(self) -> list[str]:
        """Adopt all; return the ids of those that go on."""
        for row in await self._agents.store.agents(living_only=True):
            if row.host is None:
                await self._adopt(row)
            else:
                self.elsewhere.append(row)
        await self._finish_ended()
        return [agent.id for agent in self._agents.living]

    async def _adopt(self, row: AgentRow) -> None:
        agent, pidfd, why_lost = self._restore(row)
        self._agents.present[agent.id] = agent
        if row.boot_id not in (None, self._boot):
            await self._give_up(agent, Cause.HOST_RESTARTED, "the machine was started again")
        elif row.state is State.INITIALIZING:
            await self._settle(agent, pidfd)
        if agent.is_alive and agent.body is None and row.state is not State.LOST:
            await self._agents.move(agent, Cause.HOST_GONE, evidence=why_lost)
        elif agent.is_alive and agent.body is not None and row.state is State.LOST:
            await self._agents.move(agent, Cause.FOUND, evidence="its terminal was in keeping")
        if agent.is_alive and not agent.is_kept and agent.body is not None and pidfd is not None:
            agent.is_in_keeping = await self._agents.keeping.try_keep({kept.agent_name(agent.id, kept.PIDFD): pidfd})
        agent.launched.set()
        self._watch.begin(agent, pidfd)
        self._go_on(agent, was=row.state)
        if (
            agent.is_alive and agent.cgroup is not None and not agent.cgroup.pids()
        ):  # the last one died before it moved it
            self._agents.background.start(enter(agent), f"control group of {agent.id}")
        self._limiting.begin(agent)

    def _restore(self, row: AgentRow) -> tuple[Agent, int | None, str]:
        """Return a row with what is kept of it, recording again from the byte where it stopped; and why not, if so."""
        parts = {part: self._agents.keeping.take(kept.agent_name(row.id, part)) for part in kept.PARTS}
        outputs = self._agents.outputs
        agent = Agent(row, self._agents.place.session_id, outputs.of(row), outputs.errors_of(row))
        # A start time counts from a boot: after another one it is a stranger's.
        if row.pid is not None and row.process_started is not None and row.boot_id == self._boot:
            agent.process = Process(row.pid, row.process_started)
        agent.cgroup = self._agents.cgroups.found(row.id, row.cgroup)
        why_lost = f"its terminal was in nobody's keeping: from byte {agent.log.size} on what it said may be missing"
        try:
            agent.body = open_kept(agent, parts, self._agents.keeping)
            if agent.process and row.state in _RAN and all(part is None for part in parts.values()):
                self._note_loss(agent, why_lost)
            is_held = row.tty or any(parts[part] is not None for part in kept.OF_STREAMS)
            agent.is_in_keeping = agent.body is not None and is_held
        except OSError as error:
            # It is held and goes on, until a later daemon can open it; all the others are served meanwhile.
            agent.is_in_keeping, why_lost = True, f"its log cannot be opened: {error}"
            agent.unused = {part: number for part, number in parts.items() if number is not None and part != kept.PIDFD}
            _log.error("agent %s: %s", agent.id, why_lost)
        pidfd = parts[kept.PIDFD]
        if pidfd is None and agent.process is not None and is_alive(agent.process):
            pidfd = ending.open_pidfd(agent.process.pid)
        return agent, pidfd, why_lost

    def _note_loss(self, agent: Agent, why: str) -> None:
        if not agent.row.tty:
            why = "its input was in nobody's keeping: it has read the end of it"
        _log.warning("agent %s: %s", agent.called, why)
        self.lost.append({"agent_id": agent.id, "name": agent.row.name, "offset": agent.log.size, "why": why})

    async def _settle(self, agent: Agent, pidfd: int | None) -> None:
        """Find out whether a program ran whose daemon died while it was started."""
        ran, failed = has_run(agent.marks_file)
        if not ran and pidfd is not None:
            try:
                async with asyncio.timeout(_HELPER_DEADLINE):
                    await ending.ended(pidfd)
            except TimeoutError:
                _log.warning("the start helper of agent %s neither ran nor ended", agent.id)
            ran, failed = has_run(agent.marks_file)
        if failed is not None:
            evidence = f"cannot run {redact(agent.row.command)[0]!r}: {failed}"
            await self._agents.move(agent, Cause.EXEC_FAILED, evidence=evidence)
        elif ran:
            now = time.time()
            await self._agents.move(
                agent,
                Cause.SPAWNED,
                evidence="found running by the next daemon",
                facts=lambda unit: unit.set_started(agent.id, now),
                started_at=now,
            )
        else:
            await self._agents.move(agent, Cause.NEVER_SPAWNED, evidence="the daemon ended before the word to go")

    async def _give_up(self, agent: Agent, cause: Cause, evidence: str) -> None:
        if agent.row.state is not State.LOST:
            await self._agents.move(agent, Cause.HOST_GONE, evidence=evidence)
        await self._agents.move(agent, cause, evidence=evidence)

    def _go_on(self, agent: Agent, *, was: State) -> None:
        """Do again what the last move asked for: it was stored before it was done."""
        again = {
            (State.PAUSED, Cause.PAUSE_ASKED): self._effects.here.pause_tree,
            (State.RUNNING, Cause.RESUME_ASKED): self._effects.here.continue_tree,
            (State.STOPPING, Cause.KILL_ASKED): self._effects.here.kill_tree,
            (State.STOPPING, Cause.GRACE_OVER): self._effects.here.kill_tree,
            (State.STOPPING, Cause.LIMIT_HIT): self._effects.here.kill_tree,
        }
        cause = Cause(agent.row.cause) if agent.row.cause else Cause.SPAWNED
        if (step := again.get((agent.row.state, cause))) is not None:
            self._agents.background.start(step(agent), f"again {cause} {agent.id}")
        elif agent.row.state is State.LOST and was is State.STOPPING:
            self._agents.background.start(self._effects.here.kill_tree(agent), f"kill {agent.id}")
        elif agent.row.state is State.STOPPING:
            self._agents.background.start(self._stop_again(agent), f"stop again {agent.id}")

    async def _stop_again(self, agent: Agent) -> None:
        """Go on with a stop: what is left of the grace counts from when it was asked."""
        asked = [move.at for move in await self._agents.store.transitions(agent.id) if move.cause == Cause.STOP_ASKED]
        began = asked[-1] if asked else time.time()
        grace = agent.row.grace if agent.row.stop_grace is None else agent.row.stop_grace
        self._effects.arm_grace(agent, from_wall(began + grace, grace) - time.monotonic())
        await self._effects.here.ask_to_end(agent)

    async def _finish_ended(self) -> None:
        """End what ended agents left behind, and let go of what is still kept of them."""
        left: dict[str, list[tuple[Process, float | None]]] = defaultdict(list)
        for remain in await self._agents.store.remains():
            left[remain.agent].append((Process(remain.pid, remain.started), remain.kill_at))
        some_left = {*left, *self._agents.keeping.kept_agents(), *self._in_groups()}
        for identity in sorted(some_left - set(self._agents.present)):
            row = await self._agents.store.agent(identity)
            if row is None:
                await self._drop(identity)
                continue
            if row.host is not None:
                self.elsewhere += [row] if row.state in agent_life.FINAL else []
                continue
            agent, pidfd, _ = self._restore(row)
            self._agents.present[identity] = agent
            if row.boot_id == self._boot:
                agent.rest = {process for process, _ in left[identity]}
            else:
                await self._forget_remains(identity, left[identity])
            stored = [at for _, at in left[identity] if at is not None]
            agent.kill_at = from_wall(min(stored), _LONGEST_GRACE) if stored else None
            agent.launched.set()
            self._watch.begin(agent, pidfd)
            self._agents.background.start(self._effects.here.finish(agent), f"finish {identity}")

    def _in_groups(self) -> set[str]:
        """Return the agents in whose control groups somebody is left; those that are empty are removed."""
        groups = [one for one in self._agents.cgroups.leftovers() if one.path.name not in self._agents.present]
        return {group.path.name for group in groups if not group.remove()}

    async def _forget_remains(self, identity: str, left: list[tuple[Process, float | None]]) -> None:
        unit = Unit()
        for process, _ in left:
            unit.remain_gone(identity, process.pid, process.started)
        await self._agents.store.commit(unit)

    async def _drop(self, identity: str) -> None:
        """Let go of what is kept of an agent that no row knows: nothing ever ran there."""
        for part in kept.PARTS:
            name = kept.agent_name(identity, part)
            if (descriptor := self._agents.keeping.take(name)) is not None:
                os.close(descriptor)
                await self._agents.keeping.forget(name)
