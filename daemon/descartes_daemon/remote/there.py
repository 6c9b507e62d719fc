"""Agents on other machines: commands to their runners.

A command that no runner answers is not lost: what is stored is held against what the runner says, again and again
(`mirroring.py`), and asked for anew where it differs.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Awaitable, Callable

from descartes_core.agent_life import ALIVE, Cause, State
from descartes_core.bus.messages import CommandType, Payload
from descartes_core.errors import DescartesError
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.remote.body import body_of
from descartes_daemon.remote.runners import Runners
from descartes_daemon.side import Side
from descartes_daemon.unit import Unit

_log = logging.getLogger(__name__)

#: A runner answers soon; one that is away is asked again when it is back (seconds).
_PATIENCE = 60.0
#: Where somebody waits for it who leaves.
_LAST = 10.0


class There(Side):
    """Has it done by the runner."""

    #: The runner's own clock counts the grace; ours is for a stop that it never heard of.
    slack = 5.0

    def __init__(self, agents: Agents, runners: Runners) -> None:
        self._agents = agents
        self._runners = runners
        #: Told of an agent about which a runner and this daemon may differ.
        self.on_doubt: Callable[[Agent], None] = lambda _agent: None
        #: Told when nothing is left of an agent.
        self.on_done: Callable[[], None] = lambda: None
        #: Told when somebody gives an agent up whose runner nobody knows any more.
        self.on_given_up: Callable[[Agent], Awaitable[None]] = _nothing

    def reaches(self, agent: Agent) -> bool:
        """Say whether its runner is there."""
        return self._runners.reach(agent)

    async def ask_to_end(self, agent: Agent) -> None:
        """Have its stop signal sent, and what is left killed after the grace."""
        grace = agent.row.grace if agent.kill_at is None else max(0.0, agent.kill_at - time.monotonic())
        if _said(agent) is not State.STOPPING:
            await self._have(agent, "stop", {"grace": grace}, patience=_PATIENCE + grace)

    async def kill_tree(self, agent: Agent) -> None:
        """Have all of it killed."""
        agent.kill_at = time.monotonic()
        await self._have(agent, "kill")

    async def pause_tree(self, agent: Agent) -> None:
        """Have all of it stopped."""
        async with agent.acting:
            if agent.row.state is State.PAUSED and _said(agent) is not State.PAUSED:
                await self._have(agent, "pause")

    async def continue_tree(self, agent: Agent) -> None:
        """Have all of it go on."""
        async with agent.acting:
            if agent.row.state is State.RUNNING and _said(agent) is not State.RUNNING:
                await self._have(agent, "resume")

    async def remember(self, agent: Agent) -> None:
        """Leave it to the time when its runner is back, if ever; where that is there and has lost it too, kill it."""
        if agent.row.cause == Cause.KILL_ASKED and self._runners.is_gone(agent):
            await self.on_given_up(agent)
        elif self.reaches(agent):
            await self.kill_tree(agent)
        else:
            _log.info("agent %s is ended when %s is back", agent.id, agent.row.host)

    async def finish(self, agent: Agent) -> None:
        """Its runner ends what it left: take all that is still said, and let go of it."""
        if (body := body_of(agent)) is None:
            return
        unit = Unit().remain(agent.id, agent.row.pid or 0, 0, None)
        await self._agents.commit_some_time(unit)
        if agent.row.leave:
            agent.gone.set()
        await body.gone.wait()
        agent.gone.set()
        await body.silence()
        await self._agents.commit_some_time(Unit().remain_gone(agent.id, agent.row.pid or 0, 0))
        await self._agents.let_go(agent)
        self.on_done()
        await self._forget(agent)

    async def _forget(self, agent: Agent) -> None:
        try:
            await self._runners.action(agent, "forget", timeout=_PATIENCE)
        except DescartesError as error:
            _log.info("%s keeps what agent %s said: %s", agent.row.host, agent.id, error)

    async def end_tree(self, agent: Agent) -> None:
        """Have it stopped."""
        await self._have(agent, "stop", {"grace": agent.row.grace}, patience=_PATIENCE + agent.row.grace)

    async def kill_rest(self, agent: Agent) -> None:
        """Have what is left of it killed."""
        agent.kill_at = time.monotonic()
        await self._have(agent, "kill", patience=_LAST)

    async def environment(self, agent: Agent) -> dict[str, str]:
        """Have its runner say it."""
        answer = await self._runners.action(agent, "get_env", timeout=_LAST)
        return dict((getattr(answer, "data", None) or {}).get("environment", {}))

    async def signal(self, agent: Agent, number: signal.Signals) -> None:
        """Have one signal sent to the program itself."""
        await self._runners.command(agent, "signal", {"signal": number.name}, timeout=_PATIENCE)

    async def end_stranger(self, agent: Agent) -> None:
        """Have one killed that is not known to live here."""
        try:
            await self._runners.command(agent, "kill", timeout=_PATIENCE)
        except DescartesError as error:
            _log.info("agent %s was not ended on %s: %s", agent.id, agent.row.host, error)

    async def _have(
        self, agent: Agent, what: CommandType, payload: Payload | None = None, *, patience: float = _PATIENCE
    ) -> None:
        """Have it done; what fails is held against what the runner says."""
        if (body := body_of(agent)) is None:
            return
        body.asked += 1
        body.said, is_done = None, False
        try:
            await self._runners.command(agent, what, payload, timeout=patience)
            is_done = True
        except DescartesError as error:
            _log.info("agent %s: %s was not done on %s: %s", agent.id, what, agent.row.host, error)
        finally:
            body.asked -= 1
            body.said = None
        if not is_done and agent.row.state in ALIVE and not body.is_starting:
            self.on_doubt(agent)


async def _nothing(_agent: Agent) -> None:
    return


def _said(agent: Agent) -> State | None:
    body = body_of(agent)
    return None if body is None else body.said
