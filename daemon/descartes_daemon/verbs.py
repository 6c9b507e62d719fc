"""What each method about agents does."""

from __future__ import annotations

import asyncio
import base64
import binascii
import signal
import time
from typing import Any

from descartes_core.agent_life import Cause, State
from descartes_core.errors import (
    DeadlineOver,
    IllegalTransition,
    InvalidParams,
    LimitReached,
    NeverSpawned,
    OutcomeUnknown,
    Refused,
    SpawnFailed,
    Unavailable,
)
from descartes_core.messages.agents import Signal, Spawn, Stop, WaitAgent
from descartes_core.messages.common import ChangeAgent
from descartes_core.messages.output import ReadOutput
from descartes_core.messages.terminals import Resize, Write
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.asking import Asking
from descartes_daemon.effects import Effects
from descartes_daemon.output_log import OutputLog
from descartes_daemon.spawning import Spawner
from descartes_daemon.surroundings import signal_named
from descartes_daemon.unit import Unit
from descartes_local.processes import send_signal

#: A terminal that takes nothing for this long is told (seconds).
_TYPE_DEADLINE = 10.0
#: Enter is typed once the echo has been quiet this long, or after a second (tried with real coding agents).
_ECHO_QUIET, _ECHO_AT_MOST = 0.12, 1.0
#: A tree is gone soon after KILL, but for processes in a sleep that cannot be interrupted.
_GONE_DEADLINE = 30.0

Reply = dict[str, Any]


class Verbs:
    """The methods that change or read agents; each takes a checked request."""

    def __init__(self, agents: Agents, spawner: Spawner, effects: Effects) -> None:
        self._agents = agents
        self._spawner = spawner
        self._effects = effects

    async def spawn(self, request: Spawn, asking: Asking) -> Reply:
        """agent.spawn: start a program."""
        return {"agent": (await self._spawner.spawn(request, asking)).info()}

    async def spawned_before(self, request: Spawn, _asking: Asking) -> Reply:
        """Answer the repeat of a spawn whose answer was lost."""
        if request.agent_id is None:
            raise OutcomeUnknown("the daemon was killed during this spawn; look at the list of agents")
        agent = await self._agents.find(request.agent_id)
        if agent.row.cause == Cause.NEVER_SPAWNED:
            raise NeverSpawned(f"agent {agent.called} has not run: its daemon was killed before; spawn it again")
        if agent.row.cause == Cause.EXEC_FAILED:
            raise SpawnFailed(agent.row.evidence)
        return {"agent": agent.info()}

    async def pause(self, request: ChangeAgent, asking: Asking) -> Reply:
        """agent.pause: stop all of its tree for a while."""
        return await self._move(request, asking, Cause.PAUSE_ASKED)

    async def resume(self, request: ChangeAgent, asking: Asking) -> Reply:
        """agent.resume: let it go on."""
        return await self._move(request, asking, Cause.RESUME_ASKED)

    async def _move(self, request: ChangeAgent, asking: Asking, cause: Cause) -> Reply:
        agent = await self._agents.find(request.agent_id)
        await self._agents.move(agent, cause, evidence=asking.client, request_id=asking.id, facts=asking.accepted)
        if agent.acts is not None:
            await asyncio.wait([agent.acts])
        return {"agent": agent.info()}

    async def show(self, request: ChangeAgent, _asking: Asking) -> Reply:
        """Answer the repeat of a change that was stored before its answer was lost."""
        return {"agent": (await self._agents.find(request.agent_id)).info()}

    async def stop(self, request: Stop, asking: Asking) -> Reply:
        """agent.stop: ask it to end, kill it after the grace; answered when all of it is gone."""
        agent = await self._agents.find(request.agent_id)
        grace = agent.row.grace if request.grace is None else request.grace
        if agent.is_alive and agent.row.state is not State.STOPPING:
            agent.kill_at = time.time() + grace
        return await self._end(agent, asking, Cause.STOP_ASKED, grace + _GONE_DEADLINE)

    async def kill(self, request: ChangeAgent, asking: Asking) -> Reply:
        """agent.kill: kill all of its tree now; answered when it is gone."""
        agent = await self._agents.find(request.agent_id)
        return await self._end(agent, asking, Cause.KILL_ASKED, _GONE_DEADLINE)

    async def _end(self, agent: Agent, asking: Asking, cause: Cause, patience: float) -> Reply:
        if not agent.is_alive and not agent.gone.is_set():
            # It has ended, what it left behind has not.
            if cause is Cause.KILL_ASKED:
                await self._effects.kill_rest(agent)
        else:
            await self._ask_for_end(agent, asking, cause)
        await self._wait_gone(agent, patience)
        return {"agent": agent.info()}

    async def _ask_for_end(self, agent: Agent, asking: Asking, cause: Cause) -> None:
        try:
            await self._agents.move(agent, cause, evidence=asking.client, request_id=asking.id, facts=asking.accepted)
        except IllegalTransition:
            # Who asks for what is on the way already waits for it, like the first.
            if agent.row.state is not State.STOPPING:
                raise
        except Unavailable:
            # A full disk must not keep anybody from ending what fills it.
            if cause is Cause.KILL_ASKED and agent.is_alive:
                await self._effects.kill_tree(agent)
            raise

    async def gone_before(self, request: ChangeAgent, _asking: Asking) -> Reply:
        """Answer the repeat of a stop or kill: wait for what was begun."""
        agent = await self._agents.find(request.agent_id)
        await self._wait_gone(agent, agent.row.grace + _GONE_DEADLINE)
        return {"agent": agent.info()}

    async def _wait_gone(self, agent: Agent, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                await agent.gone.wait()
                await agent.ended.wait()
        except TimeoutError:
            raise DeadlineOver(f"agent {agent.called} still has processes after {patience:.0f} s") from None

    async def signal(self, request: Signal, asking: Asking) -> Reply:
        """agent.signal: one signal to the program itself."""
        agent = await self._agents.find(request.agent_id)
        number = signal_named(request.signal)
        if not agent.is_alive or agent.process is None:
            raise Refused(f"agent {agent.called} has ended")
        if number in (signal.SIGSTOP, signal.SIGCONT):
            raise Refused("use pause and resume: they reach the whole tree, and are remembered")
        await self._accept_first(asking)
        if not send_signal(agent.process, number):
            raise Refused(f"agent {agent.called} has ended")
        return {}

    async def write(self, request: Write, asking: Asking) -> Reply:
        """agent.write: type, and press Enter where asked."""
        data = _bytes_of(request)
        agent = await self._agents.find(request.agent_id)
        if not agent.is_alive or agent.body is None:
            raise Refused(f"agent {agent.called} cannot be typed to: it is {agent.row.state}")
        await self._accept_first(asking, agent, len(data) + request.enter)
        await self._type(agent, data)
        if request.enter:
            await self._echo_quiet(agent)
            await self._type(agent, b"\r")
        return {"written": len(data) + request.enter}

    async def unknown_before(self, request: Write | Signal, _asking: Asking) -> Reply:
        """Refuse the repeat of what cannot be looked up, and must not be done twice."""
        raise OutcomeUnknown(
            f"the daemon was killed while it did this to {request.agent_id}: look at its output before you repeat it"
        )

    async def _accept_first(self, asking: Asking, agent: Agent | None = None, typed: int = 0) -> None:
        """Commit that this is about to be done: what is not in the store cannot be told from what was not done."""
        unit = asking.accepted(Unit())
        if agent is not None:
            unit.typed(agent.id, time.time(), asking.client, typed)
        await self._agents.store.commit(unit)

    async def _type(self, agent: Agent, data: bytes) -> None:
        if agent.body is None:
            raise Refused(f"agent {agent.called} has ended")
        agent.body.keys.type(data)
        try:
            async with asyncio.timeout(_TYPE_DEADLINE):
                await agent.body.keys.typed()
        except TimeoutError:
            raise LimitReached(f"agent {agent.called} does not read its terminal: the rest waits there") from None

    async def _echo_quiet(self, agent: Agent) -> None:
        grew = asyncio.Event()
        agent.log.followers.add(grew.set)
        try:
            async with asyncio.timeout(_ECHO_AT_MOST):
                while True:
                    grew.clear()
                    async with asyncio.timeout(_ECHO_QUIET):
                        await grew.wait()
        except TimeoutError:
            return
        finally:
            agent.log.followers.discard(grew.set)

    async def resize(self, request: Resize, _asking: Asking) -> Reply:
        """agent.resize: another size for its terminal."""
        agent = await self._agents.find(request.agent_id)
        if agent.body is None:
            raise Refused(f"agent {agent.called} has no terminal any more")
        await self._agents.set_size(agent, request.rows, request.cols)
        return {}

    async def wait(self, request: WaitAgent) -> Reply:
        """agent.wait: until it ends, or the time is over."""
        agent = await self._agents.find(request.agent_id)
        try:
            async with asyncio.timeout(request.timeout):
                await agent.ended.wait()
        except TimeoutError:
            return {"agent": agent.info(), "ended": False}
        return {"agent": agent.info(), "ended": True}

    async def output(self, request: ReadOutput) -> Reply:
        """agent.output: a piece of the log, waiting for it where asked."""
        agent = await self._agents.find(request.agent_id)
        log = agent.log
        offset = request.offset
        if offset is None:
            # In a thread: a log without line ends is read to its beginning.
            offset = 0 if request.tail is None else await asyncio.to_thread(log.offset_of_tail, request.tail)
        if offset > log.size:
            raise InvalidParams(f"offset {offset} lies beyond the {log.size} bytes there are")
        if request.wait and offset == log.size and not log.is_ended:
            await _grown(log, request.wait)
        data = log.read(offset, request.limit)
        return {
            "offset": offset,
            "data": base64.b64encode(data).decode(),
            # Where somebody cut the file there is nothing to wait for.
            "next_offset": offset + len(data) if data else log.size,
            "size": log.size,
            "has_more": bool(data) and offset + len(data) < log.size,
            "ended": log.is_ended,
        }


async def _grown(log: OutputLog, patience: float) -> None:
    """Wait for more output, or until no more will come, or until patience is over."""
    grew = asyncio.Event()
    log.followers.add(grew.set)
    try:
        async with asyncio.timeout(patience):
            await grew.wait()
    except TimeoutError:
        return
    finally:
        log.followers.discard(grew.set)


def _bytes_of(request: Write) -> bytes:
    if (request.text is None) == (request.data is None):
        if request.text is None and request.enter:
            return b""
        raise InvalidParams("give text or data, one of them")
    if request.text is not None:
        return request.text.encode(errors="surrogateescape")
    try:
        return base64.b64decode(request.data or "", validate=True)
    except binascii.Error as error:
        raise InvalidParams(f"data is not base64: {error}") from error
