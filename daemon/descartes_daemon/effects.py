"""Do what a move of an agent asks for, where it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from descartes_core.agent_life import Cause, Effect, Move, State
from descartes_core.quantities import brief_seconds
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.here import Here
from descartes_daemon.side import Side

#: What no grace is waited for any more after.
_LAST = {Effect.KILL_TREE, Effect.END_REST, Effect.RELEASE}

Step = Callable[[Agent], Coroutine[Any, Any, None]]


class Effects:
    """The hands of `Agents`."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self.here = Here(agents)
        #: Set by who reaches agents that run elsewhere, before there is one.
        self.elsewhere: Side | None = None
        agents.perform = self.perform

    def side(self, agent: Agent) -> Side:
        """Return the hands that reach an agent."""
        if agent.row.host is None:
            return self.here
        assert self.elsewhere is not None, "it was set before the first one that runs elsewhere"
        return self.elsewhere

    def perform(self, agent: Agent, move: Move) -> None:
        """Begin everything a move asks for; its steps come one after the other."""
        if Effect.ARM_GRACE in move.effects:
            self.arm_grace(agent, agent.row.grace if agent.kill_at is None else agent.kill_at - time.monotonic())
        elif not _LAST.isdisjoint(move.effects):
            self._disarm(agent)
        steps = [self._step(agent, effect) for effect in move.effects if effect is not Effect.ARM_GRACE]
        if steps:
            name = f"{', '.join(move.effects)} {agent.id}"
            agent.acts = self._agents.background.start(self._in_turn(agent, steps), name)

    def _step(self, agent: Agent, effect: Effect) -> Step:
        if effect is Effect.RELEASE:
            return self._agents.let_go
        side = self.side(agent)
        steps: dict[Effect, Step] = {
            Effect.ASK_TO_END: side.ask_to_end,
            Effect.KILL_TREE: side.kill_tree,
            Effect.PAUSE_TREE: side.pause_tree,
            Effect.CONTINUE_TREE: side.continue_tree,
            Effect.END_REST: side.finish,
            Effect.REMEMBER: side.remember,
        }
        return steps[effect]

    async def _in_turn(self, agent: Agent, steps: list[Step]) -> None:
        for step in steps:
            await step(agent)

    def arm_grace(self, agent: Agent, seconds: float) -> None:
        """Feed GRACE_OVER in when the grace is over."""
        self._disarm(agent)
        left = max(0.0, seconds)
        agent.kill_at = time.monotonic() + left
        later = left + self.side(agent).slack
        agent.grace_timer = asyncio.get_running_loop().call_later(later, self._grace_over, agent)

    def _grace_over(self, agent: Agent) -> None:
        agent.grace_timer = None
        if agent.row.state is State.STOPPING:
            grace = agent.row.grace if agent.row.stop_grace is None else agent.row.stop_grace
            move = self._agents.try_move(
                agent, Cause.GRACE_OVER, evidence=f"it has not ended within {brief_seconds(grace)}"
            )
            self._agents.background.start(move, f"grace over {agent.id}")

    def _disarm(self, agent: Agent) -> None:
        if agent.grace_timer is not None:
            agent.grace_timer.cancel()
            agent.grace_timer = None
