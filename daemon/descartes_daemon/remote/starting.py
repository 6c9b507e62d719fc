"""Start a program on a runner: asked for until it answers, and once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from descartes_core.bus.messages import AgentConfig, AgentInfo, Peer, SpawnRequest, SpawnResponse
from descartes_core.errors import DeadlineOver, DescartesError, SpawnFailed, Unavailable
from descartes_core.messages.agents import Spawn
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.launch import Order
from descartes_daemon.remote.body import RemoteBody, known_of
from descartes_daemon.remote.runners import Runners
from descartes_daemon.start import Start, Starter
from descartes_daemon.unit import Unit
from descartes_local.probe import reached

_log = logging.getLogger(__name__)

#: How long a runner may take (seconds): a start takes some 20 ms, one that is away may come back.
PATIENCE = 30.0
#: How long what must not run is asked to be killed there (seconds): after that its own word tells of it.
_INSISTENCE = 3600.0
#: Where nobody says which; every machine has it.
_SHELL = ["/bin/sh"]


class StarterThere(Starter):
    """Starts programs on one runner."""

    def __init__(self, agents: Agents, runners: Runners, peer: Peer, configured: list[str], deadline: float) -> None:
        """Know whom to ask, and until when (monotonic)."""
        self.agents, self.runners = agents, runners
        self._configured, self._deadline = configured, deadline
        self.host, self.host_key = peer.name, peer.key
        #: Told of an agent whose start is settled, one way or the other.
        self.on_settled: Callable[[Agent], None] = lambda _agent: None

    def order(self, request: Spawn, identity: str) -> Order:
        """Return it with what the caller adds to the runner's own surroundings; these are nobody's here."""
        del identity
        command = request.command or self._configured or _SHELL
        return Order(command, request.cwd or "", request.extra_env, request.umask)

    def begin(self, agent: Agent, order: Order, *, patience: float | None) -> Start:
        """Open the logs."""
        del patience  # it began when a runner was looked for
        body = RemoteBody(agent, self.runners, self.agents.background)
        try:
            body.open()
        except OSError as error:
            raise SpawnFailed(f"no log: {error.strerror}") from error
        body.is_starting = True
        agent.body = body
        return StartThere(self, agent, body, order, self._deadline)


class StartThere(Start):
    """A spawn that a runner is asked for."""

    def __init__(self, starter: StarterThere, agent: Agent, body: RemoteBody, order: Order, deadline: float) -> None:
        self._starter, self._agent, self._body, self._order = starter, agent, body, order
        self._deadline = deadline
        self._info: AgentInfo | None = None

    def beside(self) -> list[Coroutine[Any, Any, None]]:
        """Nothing: nobody there hears of it before it is committed here."""
        return []

    async def run(self) -> None:
        """Ask for it, as long as there is time."""
        left = max(0.001, self._deadline - time.monotonic())
        try:
            answer = await self._starter.runners.ask(self._agent, self._request(left), timeout=left)
        except (DeadlineOver, Unavailable) as error:
            if not isinstance(error, SpawnFailed):
                self._give_up()
            raise
        except asyncio.CancelledError:
            self._give_up()
            raise
        assert isinstance(answer, SpawnResponse), "nothing else answers that"
        self._info = answer.agent_info

    def _request(self, left: float) -> SpawnRequest:
        row, order = self._agent.row, self._order
        config = AgentConfig(
            agent_id=row.id,
            name=row.name,
            command=tuple(order.command),
            environment=dict(order.env),
            cwd=order.cwd or None,
            tty=row.tty,
            rows=row.rows if row.tty else None,
            cols=row.cols if row.tty else None,
            grace=row.grace,
            stop_signal=row.stop_signal,
            leave=row.leave,
            umask=row.umask,
            limits=None if row.limits is None else row.limits.as_json(),
        )
        return SpawnRequest(request_id=f"spawn-{row.id}", config=config, timeout_secs=left)

    def _give_up(self) -> None:
        work = _kill_late(self._starter.runners, self._agent)
        self._starter.agents.background.start(work, f"nothing late of {self._agent.id}")

    @property
    def evidence(self) -> str:
        """Its process, and where."""
        return f"pid {None if self._info is None else self._info.pid} on {self._agent.row.host}"

    @property
    def known(self) -> Mapping[str, Any]:
        """Its process and where it began, as the runner says."""
        return {} if self._info is None else known_of(self._agent, self._info)

    def facts(self, unit: Unit) -> Unit:
        """Add these."""
        return unit if self._info is None else unit.set_elsewhere(self._agent.id, **known_of(self._agent, self._info))

    def begun(self) -> None:
        """Let its output come; its limits are held there."""
        self._body.ask()
        reached("remote.begun")

    def close(self) -> None:
        """Follow what the runner says, from now on."""
        if self._body.is_starting:
            self._body.is_starting = False
            self._starter.on_settled(self._agent)


async def _kill_late(runners: Runners, agent: Agent) -> None:
    """Have ended what may start after all: it comes to the runner behind what it is to undo."""
    try:
        await runners.command(agent, "kill", timeout=_INSISTENCE)
    except DescartesError as error:
        _log.info("agent %s does not run on %s: %s", agent.id, agent.row.host, error)
