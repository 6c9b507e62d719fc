"""Every agent of this session: causes in, effects out; the only caller of agent_life."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from descartes_core import agent_life, kept
from descartes_core.agent_life import Cause, Move, State
from descartes_core.errors import AgentNotFound, IllegalTransition, Unavailable
from descartes_core.events import agent_event
from descartes_core.ids import Named, resolve
from descartes_core.redaction import redact_text
from descartes_daemon.agent import Agent
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.background import Background
from descartes_daemon.cgroups import Cgroups
from descartes_daemon.keeping import Keeping
from descartes_daemon.outputs import Outputs
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit

_log = logging.getLogger(__name__)

#: How often a store that cannot be written is tried again with what must not be lost (seconds).
_STORE_AGAIN = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where this daemon's agents live."""

    session_id: str
    workspace: str
    data: Path
    #: The daemon's Unix socket, for programs that speak to it.
    socket: str

    @property
    def agents(self) -> Path:
        """Return where the agents' directories are."""
        return self.data / "agents"

    def agent(self, agent_id: str) -> Path:
        """Return the directory of one agent."""
        return self.agents / agent_id


#: Adds to a unit, whose verbs return it.
Fact = Callable[[Unit], Unit]


def _age(agent: Agent) -> float:
    return agent.row.created_at


class Agents:
    """All that this daemon holds in memory, and the way to move it."""

    def __init__(self, place: Place, store: Store, keeping: Keeping, background: Background) -> None:
        self.place = place
        self.store = store
        self.keeping = keeping
        self.background = background
        self.outputs = Outputs(place.agent)
        #: Makes none until it is told otherwise.
        self.cgroups = Cgroups(place.session_id, is_wanted=False, has_supervisor=False)
        #: Those whose life goes on, or of which something is left.
        self.present: dict[str, Agent] = {}
        #: Children of ours that are no agents: who started them reaps them.
        self.helpers: set[int] = set()
        #: Whether what is typed is stored (terminals.keep_input).
        self.keeps_input = False
        #: Set when the daemon's end has begun: nothing new is started.
        self.is_closing = False
        #: Does what a move asks for; set by `effects.py`, which needs what is here.
        self.perform: Callable[[Agent, Move], None] = lambda _agent, _move: None
        #: Told when an agent is not as it was: it moved, has another size, nothing of it is left.
        self.on_news: Callable[[Agent], None] = lambda _agent: None

    def __iter__(self) -> Iterator[Agent]:
        return iter(sorted(self.present.values(), key=_age))

    @property
    def living(self) -> list[Agent]:
        """Those whose life goes on, oldest first."""
        return sorted((agent for agent in self.present.values() if agent.is_alive), key=_age)

    def in_memory(self, text: str) -> Agent | None:
        """Return a present agent that is named exactly, by id or as the only living one of that name."""
        if (agent := self.present.get(text)) is not None:
            return agent
        named = [agent for agent in self.present.values() if agent.row.name == text and agent.is_alive]
        return named[0] if len(named) == 1 else None

    async def find(self, text: str) -> Agent:
        """Return the agent that is meant by an id, a unique prefix, or a name; ended ones too.

        Raises:
            AgentNotFound: there is none.
            Ambiguous: there are several.

        """
        if (agent := self.in_memory(text)) is not None:
            return agent
        row = await self.store.agent(text)
        if row is None:
            rows = {one.id: one for one in await self.store.agents(living_only=False)}
            known = [Named(one.id, one.name, one.state in agent_life.ALIVE) for one in rows.values()]
            row = rows[resolve(text, known, AgentNotFound)]
        if (agent := self.present.get(row.id)) is not None:
            return agent
        return self.ended(row)

    def ended(self, row: AgentRow) -> Agent:
        """Return an agent of which nothing is left but its row and its logs."""
        ended = self.of(row)
        for fact in (ended.launched, ended.ended, ended.gone):
            fact.set()
        return ended

    def of(self, row: AgentRow) -> Agent:
        """Return an agent with its logs, and nothing else."""
        return Agent(row, self.place.session_id, self.outputs.of(row), self.outputs.errors_of(row))

    async def move(
        self,
        agent: Agent,
        cause: Cause,
        *,
        evidence: str | None = None,
        request_id: str | None = None,
        facts: Fact | None = None,
        **changes: Any,
    ) -> Move:
        """Decide, store, remember, then do what the move asks for.

        Args:
            agent: whom it happened to.
            cause: what happened.
            evidence: what was seen, for the history.
            request_id: who asked, where somebody did.
            facts: adds to what is committed together with the move.
            changes: what the row then has besides, as `facts` stores it.

        Raises:
            IllegalTransition: it cannot happen in this state; nothing has changed.

        """
        async with agent.moving:
            was = agent.row.state
            move = agent_life.move(agent.called, was, cause)
            now = time.time()
            evidence = redact_text(evidence) if evidence else evidence
            unit = Unit()
            unit.move(agent.id, was, move.to, cause, evidence=evidence, at=now, request_id=request_id)
            if facts is not None:
                facts(unit)
            if cause is Cause.STOP_ASKED and agent.kill_at is not None:  # this stop's own grace: a next daemon needs it
                changes["stop_grace"] = max(0.0, agent.kill_at - time.monotonic())
                unit.set_stop_grace(agent.id, changes["stop_grace"])
            if move.to in agent_life.FINAL and "ended_at" not in changes:
                changes["ended_at"] = now  # it never ran, or nobody saw how it ended
                unit.set_ended(agent.id, now, None, None)
            data = {"name": agent.row.name, "was": was, "status": move.to, "cause": cause, "evidence": evidence}
            data |= agent.row.carried
            unit.event("AgentEvent", agent_event(cause, move.to), agent.id, data, now)
            await self.store.commit(unit)
            agent.row = replace(agent.row, state=move.to, cause=cause, evidence=evidence, moved_at=now, **changes)
        _log.info("agent %s (%s) is %s: %s", agent.row.name, agent.id, move.to, evidence or cause)
        self.perform(agent, move)
        self.on_news(agent)
        return move

    async def insist(self, agent: Agent, cause: Cause, **how: Any) -> None:
        """Feed in what has happened, as `move` does, however long the store cannot be written."""
        while True:
            try:
                await self.move(agent, cause, **how)
            except Unavailable as error:
                _log.error("agent %s: %s cannot be stored yet: %s", agent.id, cause, error)
                await asyncio.sleep(_STORE_AGAIN)
            else:
                return

    async def commit_some_time(self, unit: Unit) -> None:
        """Write down what must not be lost, however long the store cannot be written."""
        while True:
            try:
                await self.store.commit(unit)
            except Unavailable as error:
                _log.error("%s", error)
                await asyncio.sleep(_STORE_AGAIN)
            else:
                return

    async def try_move(self, agent: Agent, cause: Cause, *, evidence: str | None = None) -> None:
        """Feed in news that may come too late: then it is dropped here."""
        try:
            await self.insist(agent, cause, evidence=evidence)
        except IllegalTransition:
            _log.info("agent %s: %s came when it was %s", agent.id, cause, agent.row.state)

    async def set_size(self, agent: Agent, rows: int, cols: int) -> None:
        """Give an agent's terminal another size, and remember it."""
        if self._resize(agent, rows, cols):
            await self.store.commit(Unit().set_size(agent.id, rows, cols))

    def resize(self, agent: Agent, rows: int, cols: int) -> bool:
        """Give it another size now, and remember it some time soon; say whether it had another one."""
        is_new = self._resize(agent, rows, cols)
        if is_new:
            self.store.enqueue(Unit().set_size(agent.id, rows, cols))
        return is_new

    def _resize(self, agent: Agent, rows: int, cols: int) -> bool:
        # Not the terminal's own size: that is another one for a moment while a program is made to paint anew.
        if agent.body is None or (rows, cols) == (agent.row.rows, agent.row.cols):
            return False
        agent.body.resize(rows, cols)
        agent.log.resized(rows, cols)
        agent.row = replace(agent.row, rows=rows, cols=cols)
        agent.tell({"type": "resize", "rows": rows, "cols": cols})
        self.on_news(agent)
        return True

    async def let_go(self, agent: Agent) -> None:
        """Give back everything that was open for an agent, and what is in keeping."""
        if agent.body is not None:
            agent.body.close()
            agent.body = None
        for descriptor in agent.unused.values():
            os.close(descriptor)
        agent.unused = {}
        for log in agent.logs:
            log.close()
        # The next daemon comes across a gap only while its agent is in keeping.
        if any(log.gaps.all for log in agent.logs):
            await self.outputs.all_told()
        if agent.row.host is None:
            parts = kept.OF_TERMINALS if agent.row.tty else kept.OF_STREAMS
            await self.keeping.forget(*(kept.agent_name(agent.id, part) for part in parts))
        self.present.pop(agent.id, None)
        self.leave_group(agent)
        for fact in (agent.ended, agent.gone, agent.let_go):
            fact.set()
        self.on_news(agent)

    def leave_group(self, agent: Agent) -> None:
        """Remove the control group of an agent that is let go of, where nobody is left in it."""
        if agent.cgroup is not None and agent.id not in self.present and agent.cgroup.remove():
            agent.cgroup = None
            if not self.present:
                self.cgroups.tidy()

    def by_state(self) -> dict[State, int]:
        """Count those in memory."""
        states = [agent.row.state for agent in self.present.values()]
        return {state: states.count(state) for state in set(states)}

    async def all_gone(self, agents: list[Agent]) -> None:
        """Wait until nothing is left of any of these."""
        await asyncio.gather(*(agent.gone.wait() for agent in agents))
