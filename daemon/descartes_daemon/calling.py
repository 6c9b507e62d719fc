"""Call methods for HTTP clients: within a deadline, and only while somebody waits for the answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from starlette.requests import Request

from descartes_core.errors import DeadlineOver, DescartesError, InternalError, Unavailable
from descartes_daemon.turns import Turns

_log = logging.getLogger(__name__)

#: They wait on purpose, as long as they are told to, and are given up when their client goes away.
WAITING = frozenset({"agent.wait", "agent.output", "event.list"})
#: They have deadlines of their own, made of an agent's grace.
PATIENT = frozenset(
    {"agent.stop", "agent.kill", "agent.batch", "system.shutdown", "session.collect", "session.export", "state.import"}
)

#: Calls begun in one turn of the loop: the largest answers take some 20 ms each, and others are served in between.
_AT_ONCE = 2

Reply = dict[str, Any]


class Dispatcher(Protocol):
    """Who does what is called."""

    def call(self, method: str, params: dict[str, Any], *, client: str) -> Reply | Coroutine[Any, Any, Reply]:
        """Return the reply, at once or awaited; raise DescartesError, then or when awaited."""


class Caller:
    """Calls methods, and turns faults of ours into errors."""

    def __init__(self, dispatcher: Dispatcher, timeout: float) -> None:
        self._dispatcher = dispatcher
        self._timeout = timeout
        self._turns = Turns(_AT_ONCE)
        #: What goes on though its client was told that it takes too long.
        self._late: set[asyncio.Task[Reply]] = set()

    async def call(self, method: str, params: dict[str, Any], request: Request) -> Reply:
        """Return the reply.

        Raises:
            DescartesError: it was refused, or has failed.

        """
        client = "http {}:{}".format(*request.client) if request.client else "http"
        if method != "system.health":
            await self._turns.take()
        try:
            reply = self._dispatcher.call(method, params, client=client)
            return reply if isinstance(reply, dict) else await self._awaited(method, reply, request)
        except DescartesError:
            raise
        except asyncio.CancelledError:  # only the server's end does that, and would tell it as a fault of ours
            raise Unavailable("the daemon is ending: ask again") from None
        except Exception as error:  # the edge: a fault of ours is told in the log, and ends nothing else
            _log.exception("%s failed", method)
            raise InternalError from error

    async def _awaited(self, method: str, work: Coroutine[Any, Any, Reply], request: Request) -> Reply:
        task = asyncio.create_task(work, name=f"http {method}")
        try:
            if method in WAITING:
                await _until_gone(task, request)
            else:
                await asyncio.wait([task], timeout=None if method in PATIENT else self._timeout)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.done():
            self._late.add(task)
            task.add_done_callback(self._ended_late)
            raise DeadlineOver(
                f"{method} takes longer than {self._timeout:g} s (server.request_timeout) and goes on: "
                "ask again with the same request_id"
            )
        return task.result()

    def _ended_late(self, task: asyncio.Task[Reply]) -> None:
        self._late.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.info("%s, which took too long, failed: %s", task.get_name(), error)


async def _until_gone(task: asyncio.Task[Reply], request: Request) -> None:
    """Wait for what only waits itself; when the client goes away nobody needs it any more."""
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
