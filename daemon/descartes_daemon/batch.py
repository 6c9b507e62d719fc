"""Do the same to many agents, each with a result of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from descartes_core.agent_life import State
from descartes_core.errors import DescartesError, InternalError, InvalidParams, OutcomeUnknown, Refused, Unavailable
from descartes_core.messages.agents import Batch, Signal, Stop
from descartes_core.messages.common import ChangeAgent
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.asking import Asking
from descartes_daemon.unit import Unit

_log = logging.getLogger(__name__)

Reply = dict[str, Any]
Act = Callable[[Any, Asking], Awaitable[Reply]]

#: What a repeat finds done already is no failure of it.
_REACHED = {"pause": State.PAUSED, "resume": State.RUNNING}


class Batches:
    """agent.batch: one command for many agents."""

    def __init__(self, agents: Agents, verbs: Mapping[str, Act]) -> None:
        self._agents = agents
        self._verbs = verbs

    async def batch(self, request: Batch, asking: Asking) -> Reply:
        """Do it: to all at once, or with `fail_fast` one after the other until one fails."""
        _check(request)
        if asking.id is not None:
            await self._accept_first(request, asking)
        return await self._do(request, asking)

    async def _accept_first(self, request: Batch, asking: Asking) -> None:
        """Commit it before anything is done to anybody: a repeat must not begin it anew."""
        try:
            await self._agents.store.commit(asking.accepted(Unit()))
        except Unavailable:
            # A full disk must not keep anybody from ending what fills it.
            if request.command != "kill":
                raise

    async def batch_before(self, request: Batch, asking: Asking) -> Reply:
        """Answer the repeat of a batch that a daemon's death may have cut short: do what is not done yet."""
        _check(request)
        if request.command == "signal":
            raise OutcomeUnknown("the daemon was killed while it signalled: some may have been reached")
        asking.is_accepted = True
        return await self._do(request, asking, reached=_REACHED.get(request.command))

    async def _do(self, request: Batch, asking: Asking, reached: State | None = None) -> Reply:
        if request.fail_fast:
            results = await self._in_turn(request, asking, reached)
        else:
            ones = [self._one(agent_id, request, asking, reached) for agent_id in request.agent_ids]
            results = await asyncio.gather(*ones)
        worked = sum(result["success"] for result in results)
        return {
            "results": results,
            "success": worked == len(results),
            "successful": worked,
            "failed": len(results) - worked,
        }

    async def _in_turn(self, request: Batch, asking: Asking, reached: State | None) -> list[Reply]:
        results: list[Reply] = []
        for agent_id in request.agent_ids:
            if results and not results[-1]["success"]:
                break
            results.append(await self._one(agent_id, request, asking, reached))
        rest = request.agent_ids[len(results) :]
        untried = Refused(f"not tried: it failed for {results[-1]['agent_id']}")
        return results + [_result(agent_id, None, untried) for agent_id in rest]

    async def _one(self, agent_id: str, request: Batch, asking: Asking, reached: State | None) -> Reply:
        agent: Agent | None = None
        failure: DescartesError | None = None
        try:
            agent = await self._agents.find(agent_id)
            if reached is None or agent.row.state is not reached:
                await self._verbs[request.command](_asked(agent.id, request), asking)
        except DescartesError as error:
            failure = error
        except Exception:  # one of them must not take the others' answers away
            _log.exception("%s of %s failed", request.command, agent_id)
            failure = InternalError()
        return _result(agent_id, agent, failure)


def _check(request: Batch) -> None:
    if (request.signal is not None) != (request.command == "signal"):
        raise InvalidParams("agent.batch: signal is given with the command signal, and only there")
    if request.grace is not None and request.command != "stop":
        raise InvalidParams("agent.batch: grace is for the command stop")


def _asked(agent_id: str, request: Batch) -> ChangeAgent | Signal:
    match request.command:
        case "stop":
            return Stop(agent_id=agent_id, grace=request.grace)
        case "signal":
            return Signal(agent_id=agent_id, signal=request.signal or "")
        case _:
            return ChangeAgent(agent_id=agent_id)


def _result(agent_id: str, agent: Agent | None, failure: DescartesError | None) -> Reply:
    return {
        "agent_id": agent_id,
        "success": failure is None,
        "status": agent.row.state.value if agent else None,
        "code": failure.code if failure else None,
        "error": failure.message if failure else None,
    }
