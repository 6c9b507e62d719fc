"""Requests from the bus: to whom they belong, the one dispatcher, and their answers."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from descartes_core.bus import messages as m
from descartes_core.errors import DeadlineOver, DescartesError, InternalError, LimitReached, ProtocolError, Refused
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.bus import looking
from descartes_daemon.bus.belonging import Belonging
from descartes_daemon.bus.commands import Commands, Order, Refusal
from descartes_daemon.bus.dealer import Bus
from descartes_daemon.bus.describing import described
from descartes_daemon.bus.failing import failed
from descartes_daemon.bus.spawns import Spawns
from descartes_daemon.bus.streams import Streams
from descartes_daemon.dispatch import Dispatcher
from descartes_daemon.usage import look

_log = logging.getLogger(__name__)

#: Under way at once; who asks more is asked to wait.
_MOST = 2000
#: Of them by one, so that others are heard too.
_MOST_OF_ONE = 1500
#: Agents in one answer where nobody says how many.
_LISTED = 1000


class Serving:
    """Answers everybody who may ask; a repeat of what is under way is answered with it."""

    def __init__(
        self,
        bus: Bus,
        agents: Agents,
        dispatcher: Dispatcher,
        belonging: Belonging,
        commands: Commands,
        streams: Streams,
    ) -> None:
        self._bus, self._agents, self._dispatcher = bus, agents, dispatcher
        self._belonging, self._commands, self._streams = belonging, commands, streams
        self.spawns = Spawns(bus, agents, dispatcher, belonging, commands)
        self.began = time.monotonic()
        self._under_way: set[tuple[str, str]] = set()
        self._answers: dict[type[m.Message], Callable[[str, Any], Awaitable[m.Message]]] = {
            m.SpawnRequest: self.spawns.spawn,
            m.ControlCommand: self._control,
            m.CustomActionRequest: self._act,
            m.BatchControlCommand: self._batch,
            m.ListAgentsRequest: self._list,
            m.HealthCheckRequest: self._health,
            m.OutputQueryRequest: self._query,
        }
        bus.subscribe(on_message=self.take)

    def take(self, sender: str, message: m.Message) -> None:
        """Take one message, whatever it is; what is for others is left alone."""
        if self._dispatcher.is_held:
            return  # it is asked again, of the next daemon
        if isinstance(message, m.Credit):
            self._start(self._credit(sender, message), f"credit from {sender}")
        elif isinstance(message, m.Request) and type(message) in self._answers:
            key = (sender, message.request_id)
            if key in self._under_way:
                return
            if self._has_enough(sender):
                self._bus.tell(failed(message, LimitReached("enough requests are under way here")), sender)
                return
            self._under_way.add(key)
            self._start(self._answer(sender, message), f"{type(message).__name__} of {sender}")

    def _has_enough(self, sender: str) -> bool:
        if len(self._under_way) < _MOST_OF_ONE:
            return False
        return len(self._under_way) >= _MOST or sum(who == sender for who, _ in self._under_way) >= _MOST_OF_ONE

    def _start(self, work: Any, name: str) -> None:
        self._agents.background.start(work, name)

    async def _answer(self, sender: str, request: m.Request) -> None:
        try:
            answer = await self._answer_of(sender, request)
            try:
                self._bus.tell(answer, sender)
            except ProtocolError as error:  # it has what no message holds, or too much of it
                self._bus.tell(failed(request, error), sender)
        finally:
            self._under_way.discard((sender, request.request_id))

    async def _answer_of(self, sender: str, request: m.Request) -> m.Message:
        try:
            self._belonging.asker(sender)
            return await self._answers[type(request)](sender, request)
        except Refusal as refusal:
            return failed(request, refusal.error, refusal.data)
        except DescartesError as error:
            return failed(request, error)
        except Exception:  # a fault of ours must not leave anybody without an answer
            _log.exception("%s of %s failed", type(request).__name__, sender)
            return failed(request, InternalError())

    async def _credit(self, sender: str, credit: m.Credit) -> None:
        try:
            self._belonging.asker(sender)
            agent = self._belonging.at_once(sender, credit.agent_id)
            self._streams.credit(sender, agent or await self._belonging.find(sender, credit.agent_id), credit)
        except DescartesError as error:
            self._bus.tell(m.Problem(code=error.code, error=error.message), sender)

    async def _order(self, sender: str, agent_id: str, request_id: str, payload: m.Payload | None) -> Order:
        agent = self._belonging.at_once(sender, agent_id) or await self._belonging.find(sender, agent_id)
        return Order(self._belonging.asker(sender), agent, request_id, payload or {})

    async def _control(self, sender: str, request: m.ControlCommand) -> m.Message:
        order = await self._order(sender, request.agent_id, request.request_id, request.payload)
        data = await self._commands.do(request.command_type, order)
        return await self._done(request, order, data)

    async def _act(self, sender: str, request: m.CustomActionRequest) -> m.Message:
        order = await self._order(sender, request.agent_id, request.request_id, request.params)
        try:
            async with asyncio.timeout(request.timeout_secs):
                data = await self._commands.act(request.action, order)
        except TimeoutError:
            raise DeadlineOver(f"{request.action} took longer than {request.timeout_secs:g} s") from None
        return await self._done(request, order, data)

    async def _done(self, request: m.ControlCommand | m.CustomActionRequest, order: Order, data: Any) -> m.Message:
        return m.CommandResponse(
            request_id=request.request_id,
            agent_id=request.agent_id,
            success=True,
            status=order.agent.row.state.value,
            data=data,
        )

    async def _batch(self, sender: str, request: m.BatchControlCommand) -> m.Message:
        results: list[m.BatchResult] = []
        if request.fail_fast:
            for number, agent_id in enumerate(request.agent_ids):
                is_over = bool(results) and not all(result.success for result in results)
                results.append(_untried(agent_id) if is_over else await self._one(sender, request, number, agent_id))
        else:
            ones = [self._one(sender, request, number, one) for number, one in enumerate(request.agent_ids)]
            results += await asyncio.gather(*ones)
        worked = sum(result.success for result in results)
        return m.BatchControlResponse(
            request_id=request.request_id,
            results=tuple(results),
            success=worked == len(results),
            successful=worked,
            failed=len(results) - worked,
        )

    async def _one(self, sender: str, batch: m.BatchControlCommand, number: int, agent_id: str) -> m.BatchResult:
        one = m.ControlCommand(
            request_id=_part(batch.request_id, number),
            agent_id=agent_id,
            command_type=batch.command_type,
            payload=batch.payload,
        )
        answer = await self._answer_of(sender, one)
        assert isinstance(answer, m.CommandResponse), "that is what answers a command"
        return m.BatchResult(
            agent_id=agent_id, success=answer.success, status=answer.status, error=answer.error, code=answer.code
        )

    async def _list(self, sender: str, request: m.ListAgentsRequest) -> m.Message:
        if request.agent_ids is None:
            agents = await self._belonging.every(sender)
        else:
            agents = [one for each in request.agent_ids if (one := await self._if_seen(sender, each)) is not None]
        if request.filter_status is not None:
            agents = [agent for agent in agents if agent.row.state == request.filter_status]
        most = request.limit or (_LISTED if request.agent_ids is None else len(request.agent_ids))
        await asyncio.to_thread(look, [agent for agent in agents if agent.is_alive])
        # Of too many the newest: the oldest have ended long ago.
        return m.ListAgentsResponse(
            request_id=request.request_id, success=True, agents=tuple(map(described, agents[-most:]))
        )

    async def _if_seen(self, sender: str, agent_id: str) -> Agent | None:
        await self.spawns.settled(agent_id)
        if (agent := self._belonging.at_once(sender, agent_id)) is not None:
            return agent
        row = await self._agents.store.agent(agent_id)
        agent = None if row is None else self._agents.present.get(row.id) or self._agents.ended(row)
        return agent if agent is not None and self._belonging.may_see(sender, agent) else None

    async def _health(self, sender: str, request: m.HealthCheckRequest) -> m.Message:
        status = self._agents.store.health() or await self._agents.store.healthy()
        living = [agent for agent in self._agents.living if self._belonging.may_see(sender, agent)]
        welcome, me = self._bus.welcome, self._bus.link.me
        return m.HealthCheckResponse(
            request_id=request.request_id,
            healthy=status == "healthy",
            protocol_version=m.PROTOCOL_VERSION,
            uptime_secs=round(time.monotonic() - self.began, 3),
            active_agents=len(living),
            metadata={
                "server_id": None if welcome is None else welcome.server_id,
                "endpoint": self._bus.told.hub,
                "max_agents": me.capacity,
                "name": me.name,
                "status": status,
            },
        )

    async def _query(self, sender: str, request: m.OutputQueryRequest) -> m.Message:
        return await looking.query(await self._belonging.find(sender, request.agent_id), request)


def _part(request_id: str, number: int) -> str:
    """Return the id of one part of a request, the same for a repeat; an id has its bounds."""
    text = f"{request_id} {number}"
    return text if len(text) <= 100 else hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _untried(agent_id: str) -> m.BatchResult:
    return m.BatchResult(
        agent_id=agent_id, success=False, code=Refused.code, error="not tried: it failed for another before"
    )
