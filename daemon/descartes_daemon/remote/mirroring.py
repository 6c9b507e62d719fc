"""Let a remote agent's row follow what its runner says.

A runner tells where an agent is, again and again; `bus.mirror` makes causes of that, and they are moved by like any.
An end counts only when all has come that the program said itself.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from pydantic import ValidationError

from descartes_core.agent_life import ALIVE, FINAL, Cause, State
from descartes_core.bus.messages import AgentInfo
from descartes_core.bus.mirror import causes, causes_of_absence, state_of
from descartes_core.errors import IllegalTransition
from descartes_core.messages.agents import AgentUsage
from descartes_core.times import read as read_time
from descartes_core.usage import Usage
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.remote.body import RemoteBody, body_of, known_of
from descartes_daemon.remote.remembering import Remembering
from descartes_daemon.unit import Unit

_log = logging.getLogger(__name__)

_ENDS = (Cause.ENDED_WELL, Cause.ENDED_BADLY)


class Mirror:
    """Follows, one step after the other for each agent."""

    def __init__(self, agents: Agents, remembering: Remembering) -> None:
        self._agents = agents
        self._remembering = remembering

    def told(self, agent: Agent, info: AgentInfo) -> None:
        """Take what an agent's runner says of it now."""
        body = body_of(agent)
        if body is None:
            return
        body.info = info
        if body.asked == 0:
            body.said = state_of(info)
        agent.usage = _usage(info) or agent.usage
        for name, size in (("stdout", info.stdout_bytes), ("stderr", info.stderr_bytes)):
            if (stream := body.streams.get(name)) is not None:
                stream.look(size)
        if info.is_gone:
            body.gone.set()
        self.follow(agent, body)

    def follow(self, agent: Agent, body: RemoteBody) -> None:
        """Go where its runner says it is, unless that is being done already."""
        if body.follower is None or body.follower.done():
            body.follower = self._agents.background.start(self._follow(agent, body), f"follow {agent.id}")

    async def _follow(self, agent: Agent, body: RemoteBody) -> None:
        seen: AgentInfo | None = None
        while body.info is not None and body.info is not seen and not body.is_starting:
            seen = body.info
            await self._take(agent, body, seen)

    async def _take(self, agent: Agent, body: RemoteBody, info: AgentInfo) -> None:
        if state_of(info) in FINAL and agent.row.state in ALIVE:
            # Who sees the exit code can read everything the program itself wrote.
            await body.drain()
        for cause in causes(agent.row.state, info, is_asked=body.asked > 0 or body.said is None):
            try:
                await self._move(agent, cause, info)
            except IllegalTransition:
                _log.info("agent %s: %s came when it was %s", agent.id, cause, agent.row.state)
                return
        if agent.row.state is not State.INITIALIZING:
            agent.launched.set()
        if agent.row.state in FINAL:
            agent.ended.set()
        elif body.asked == 0:
            await self._remembering.ask_again(agent, info)

    async def _move(self, agent: Agent, cause: Cause, info: AgentInfo) -> None:
        facts, changes = Unit(), dict[str, Any]()
        # Its start may have been heard of by nobody before it was lost.
        if cause is Cause.SPAWNED or (agent.row.started_at is None and info.started_at is not None):
            changes = {"started_at": _time(info.started_at), **known_of(agent, info)}
            facts.set_started(agent.id, changes["started_at"]).set_elsewhere(agent.id, **known_of(agent, info))
        if info.ended_by is not None and agent.row.ended_by is None:
            changes["ended_by"] = info.ended_by
            facts.set_ended_by(agent.id, info.ended_by)
        if cause in _ENDS:
            usage = _usage(info)
            changes |= {
                "ended_at": _time(info.ended_at),
                "exit_code": info.exit_code,
                "signal": info.signal,
                "usage": None if usage is None else usage.at_end.as_json(),
            }
            facts.set_ended(agent.id, changes["ended_at"], info.exit_code, info.signal)
            facts.set_usage(agent.id, changes["usage"])
        await self._agents.insist(
            agent, cause, evidence=_seen(agent, info), facts=lambda unit: unit.also(facts), **changes
        )

    async def absent(self, agent: Agent) -> None:
        """Take the word of an agent's own runner that it knows no such agent."""
        body = body_of(agent)
        if body is None or body.is_starting:
            return
        await self.give_up(agent, f"runner {agent.row.host} does not know it")

    async def give_up(self, agent: Agent, why: str) -> None:
        """Wait for it no longer; should it ever be found alive, it is ended."""
        body = body_of(agent)
        if body is None:
            return
        for cause in causes_of_absence(agent.row.state, has_run=agent.row.started_at is not None):
            await self._agents.try_move(agent, cause, evidence=why)
        agent.launched.set()
        agent.ended.set()
        for stream in body.streams.values():
            stream.finished.set()
        body.gone.set()


def _seen(agent: Agent, info: AgentInfo) -> str:
    """Return what its runner has seen; where it does not say, that it says so."""
    if info.evidence is None:
        return f"runner {agent.row.host} says that it is {info.status}"
    return info.evidence if state_of(info) is not State.LOST else f"{agent.row.host}: {info.evidence}"


def _time(text: str | None) -> float:
    try:
        return time.time() if text is None else read_time(text)
    except ValueError:
        return time.time()


def _usage(info: AgentInfo) -> Usage | None:
    """Return what it has taken; a runner's word is held against what it may say."""
    try:
        return None if info.usage is None else Usage(**AgentUsage.model_validate(info.usage).model_dump())
    except ValidationError:
        return None
