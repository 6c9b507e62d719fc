"""Spawns from the bus: a backend or a command, in a directory, in time, and once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from pathlib import Path
from typing import Any

from descartes_core.bus import messages as m
from descartes_core.errors import DeadlineOver, DescartesError, LimitReached, Refused, SpawnFailed
from descartes_core.ids import is_id
from descartes_daemon.agents import Agents
from descartes_daemon.bus.backends import command_of, environment_of
from descartes_daemon.bus.belonging import Belonging
from descartes_daemon.bus.commands import Commands, Order
from descartes_daemon.bus.dealer import Bus
from descartes_daemon.bus.describing import described
from descartes_daemon.dispatch import Dispatcher

#: Of a runner's workspace: where agents begin that are not told where.
WORK = "work"
#: Ids of agents that their callers gave none: the same for a repeat.
_SPAWNS = uuid.UUID("0f4ce4f5-2f0b-4d0f-8a53-6b6a5f0f6f7e")


class Spawns:
    """Starts agents for who asks by the bus."""

    def __init__(
        self, bus: Bus, agents: Agents, dispatcher: Dispatcher, belonging: Belonging, commands: Commands
    ) -> None:
        self._bus, self._agents, self._dispatcher = bus, agents, dispatcher
        self._belonging, self._commands = belonging, commands
        #: Whether nothing new is started here.
        self.is_draining = False
        #: Agents that are about to be there.
        self._starting: set[str] = set()
        #: Agents that are asked for now.
        self._asked: dict[str, asyncio.Event] = {}

    async def spawn(self, sender: str, request: m.SpawnRequest) -> m.Message:
        """Start what is asked for, unless it was started before.

        Raises:
            Refused, LimitReached: this runner drains, or has as many as it takes.
            DeadlineOver: it did not run in time, and does not.
            DescartesError: as agent.spawn.

        """
        made_up = str(uuid.uuid5(_SPAWNS, f"{sender} {request.request_id}"))
        agent_id = made_up if request.config.agent_id is None else request.config.agent_id
        settled = self._asked.setdefault(agent_id, asyncio.Event())
        try:
            return await self._spawn(sender, request, agent_id)
        finally:
            settled.set()
            self._asked.pop(agent_id, None)

    async def settled(self, agent_id: str) -> None:
        """Wait for spawns that came before: of whom they start nobody is told that there is no such agent."""
        if (asked := self._asked.get(agent_id)) is not None:
            await asked.wait()

    async def _spawn(self, sender: str, request: m.SpawnRequest, agent_id: str) -> m.Message:
        asker, config, began = self._belonging.asker(sender), request.config, time.monotonic()
        params = _spawn_params(request, agent_id)
        is_new = self._belonging.is_runner and not await self._is_known(agent_id)
        if is_new:
            self._check_room(agent_id)
        try:
            if is_new and config.cwd is None and is_id(agent_id):
                params["cwd"] = await asyncio.to_thread(self._directory_for, agent_id)
            answer = self._dispatcher.call("agent.spawn", params, client=f"bus {sender}", peer=asker)
            if not isinstance(answer, dict):
                await answer
        except DescartesError:
            if is_new and is_id(agent_id) and not await self._is_known(agent_id):
                await asyncio.to_thread(self._remove_directory, agent_id)
            raise
        finally:
            self._starting.discard(agent_id)
        agent = await self._belonging.find(sender, agent_id)
        if request.timeout_secs is not None and time.monotonic() > began + request.timeout_secs and agent.is_alive:
            await self._commands.call("agent.kill", Order(asker, agent, f"late {agent_id}", {}))
            raise DeadlineOver(f"agent {agent.called} did not start within {request.timeout_secs:g} s")
        welcome = self._bus.welcome
        return m.SpawnResponse(
            request_id=request.request_id,
            success=True,
            agent_info=described(agent),
            server_id=None if welcome is None else welcome.server_id,
        )

    def _check_room(self, agent_id: str) -> None:
        """Refuse what is new while this runner drains, or has as many as it takes."""
        if self.is_draining:
            raise Refused("this runner is draining: it starts nothing more")
        there = {agent.id for agent in self._agents.living} | self._starting
        if len(there) >= (most := self._bus.link.me.capacity):
            raise LimitReached(f"this runner has {len(there)} agents, and takes {most}")
        self._starting.add(agent_id)

    async def _is_known(self, agent_id: str) -> bool:
        return agent_id in self._agents.present or await self._agents.store.agent(agent_id) is not None

    def _directory_for(self, agent_id: str) -> str:
        directory = Path(self._agents.place.workspace) / WORK / agent_id
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
        except OSError as error:
            raise SpawnFailed(f"no directory for it: {error.strerror}") from error
        return str(directory)

    def _remove_directory(self, agent_id: str) -> None:
        """Leave nothing of what was refused; what holds something stays."""
        with contextlib.suppress(OSError):
            os.rmdir(Path(self._agents.place.workspace) / WORK / agent_id)


def _spawn_params(request: m.SpawnRequest, agent_id: str) -> dict[str, Any]:
    """Return the parameters of agent.spawn; what is not said is left to its defaults."""
    config = request.config
    said = {
        "name": config.name or None,
        "command": list(command_of(config)) or None,
        "cwd": config.cwd,
        "rows": config.rows,
        "cols": config.cols,
        "grace": config.grace,
        "stop_signal": config.stop_signal,
        "limits": config.limits,
        "within": request.timeout_secs,
    }
    return {
        "request_id": request.request_id,
        "agent_id": agent_id,
        "extra_env": dict(environment_of(config)),
        "umask": config.umask,
        "tty": config.tty,
        "leave": config.leave,
        **{name: value for name, value in said.items() if value is not None},
    }
