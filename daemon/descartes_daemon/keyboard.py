"""Type into agents, paste, and give their terminals a size."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakValueDictionary

from descartes_core.agent_life import State
from descartes_core.errors import InvalidParams, LimitReached, NotHere, Refused
from descartes_core.messages.terminals import Resize, Write
from descartes_core.pasting import pasted
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.asking import Asking
from descartes_daemon.screens import Screens
from descartes_daemon.unit import Unit

#: A program that takes nothing for this long is told (seconds).
_TYPE_DEADLINE = 10.0
#: Enter comes once the echo was seen and has been quiet this long, or after a second (tried with real coding agents).
_ECHO_QUIET, _ECHO_AT_MOST = 0.12, 1.0

Reply = dict[str, Any]


class Keyboard:
    """The methods that type."""

    def __init__(self, agents: Agents, screens: Screens) -> None:
        self._agents = agents
        self._screens = screens
        #: A text and its Enter belong together: another text must not come between them.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def write(self, request: Write, asking: Asking) -> Reply:
        """agent.write: type or paste, then press Enter, then end the input, each where asked."""
        _check(request)
        agent = await self._agents.find(request.agent_id)
        async with self._turn(agent, waits=request.enter or request.paste):
            data = await self._typed_for(request, agent)
            enter = self._keys(agent).enter if request.enter else b""
            await self._accept_first(asking, agent, data + enter)
            await self._type(agent, data, enter)
            if request.eof:
                self._keys(agent).end()
                await self._taken(agent)
        return {"written": len(data) + len(enter)}

    def _turn(self, agent: Agent, *, waits: bool) -> contextlib.AbstractAsyncContextManager[object]:
        """Wait for who types text; a key alone, like Ctrl-C, waits for nobody."""
        return self._turns.setdefault(agent.id, asyncio.Lock()) if waits else contextlib.nullcontext()

    async def _typed_for(self, request: Write, agent: Agent) -> bytes:
        self._keys(agent)
        if request.text is not None and request.paste and agent.row.tty:
            return pasted(request.text, bracketed=(await self._screens.at(agent)).bracketed_paste)
        return _bytes_of(request)

    def _keys(self, agent: Agent) -> Any:
        if not agent.is_alive or agent.body is None or agent.row.state is State.LOST:
            raise Refused(f"agent {agent.called} cannot be typed to: it is {agent.row.state}")
        return agent.body.keys

    async def _accept_first(self, asking: Asking, agent: Agent, typed: bytes) -> None:
        """Commit that this is about to be done: what is not in the store cannot be told from what was not done."""
        kept = typed if self._agents.keeps_input else None
        unit = asking.accepted(Unit()).typed(agent.id, time.time(), asking.client, len(typed), kept)
        await self._agents.store.commit(unit)

    async def _type(self, agent: Agent, data: bytes, enter: bytes) -> None:
        if data and enter and agent.row.tty:
            async with _echo_of(agent):
                self._keys(agent).type(data)
                await self._taken(agent)
            data = b""
        if data or enter:
            self._keys(agent).type(data + enter)
            await self._taken(agent)

    async def _taken(self, agent: Agent) -> None:
        try:
            async with asyncio.timeout(_TYPE_DEADLINE):
                await self._keys(agent).typed()
        except TimeoutError:
            raise LimitReached(f"agent {agent.called} does not read what is typed: the rest waits") from None

    async def resize(self, request: Resize, _asking: Asking) -> Reply:
        """agent.resize: another size for its terminal."""
        agent = await self._agents.find(request.agent_id)
        if not agent.row.tty:
            raise NotHere(f"agent {agent.called} has no terminal")
        if agent.body is None:
            raise Refused(f"agent {agent.called} has no terminal any more")
        await self._agents.set_size(agent, request.rows, request.cols)
        return {}


@contextlib.asynccontextmanager
async def _echo_of(agent: Agent) -> AsyncIterator[None]:
    """Wait, behind the block, until what was typed in it is shown, and nothing more comes."""
    grew = asyncio.Event()
    agent.log.followers.add(grew.set)
    try:
        yield
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ECHO_AT_MOST):
                await grew.wait()
                while grew.is_set():
                    grew.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_ECHO_QUIET):
                            await grew.wait()
    finally:
        agent.log.followers.discard(grew.set)


def _check(request: Write) -> None:
    given = (request.text is not None) + (request.data is not None)
    if given > 1 or (given == 0 and not (request.enter or request.eof)):
        raise InvalidParams("give text or data, one of them")
    if request.paste and request.data is not None:
        raise InvalidParams("only a text can be pasted: data is typed as it is")
    _bytes_of(request)


def _bytes_of(request: Write) -> bytes:
    if request.text is not None:
        try:
            return request.text.encode(errors="surrogateescape")
        except UnicodeEncodeError as error:
            raise InvalidParams("the text holds half a character") from error
    try:
        return base64.b64decode(request.data or "", validate=True)
    except ValueError as error:  # binascii.Error, or letters beyond ASCII
        raise InvalidParams(f"data is not base64: {error}") from error
