"""Do each request once: a repeat gets the first answer again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from descartes_core.errors import Conflict, Refused, SpawnFailed, from_wire
from descartes_daemon.asking import Asking
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit

#: How long an answer is kept for a repeat.
_KEPT = 24 * 3600.0
#: The key of a stored refusal; no method's reply has it.
_REFUSED = "refused"

Reply = dict[str, Any]


class Once:
    """Remembers requests by their id, in memory while they run and in the store for a day."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: dict[str, tuple[str, asyncio.Task[Reply]]] = {}

    async def do(
        self,
        asking: Asking,
        first: Callable[[], Awaitable[Reply]],
        again: Callable[[], Awaitable[Reply]],
    ) -> Reply:
        """Run `first`, unless this request was seen before.

        Args:
            asking: who asks, and by which id.
            first: does it; its acceptance is committed with its first effect.
            again: answers a repeat of a request that was accepted, but whose answer was lost with a daemon.

        """
        if asking.id is None:
            return await first()
        method, task = self._running.get(asking.id, (asking.method, None))
        _check_same(asking, method)
        if task is None:
            task = asyncio.create_task(self._do(asking, first, again), name=f"request {asking.id}")
            self._running[asking.id] = asking.method, task
            task.add_done_callback(lambda _: self._running.pop(asking.id or "", None))
        # The caller may go away: what it asked for is done all the same.
        return await asyncio.shield(task)

    async def _do(
        self, asking: Asking, first: Callable[[], Awaitable[Reply]], again: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        assert asking.id is not None, "without an id nothing is remembered"
        stored = await self._store.reply_of(asking.id)
        if stored is not None:
            _check_same(asking, stored.method)
            asking.is_accepted = True
            if stored.reply is not None:
                return _given_again(stored.reply)
        try:
            reply = await (first() if stored is None else again())
        except (Refused, SpawnFailed) as error:
            # What was begun and then refused is refused to a repeat in the same words.
            if asking.is_accepted:
                await self._remember(asking, {_REFUSED: [error.code, error.message]})
            raise
        if asking.answer is not None:
            return asking.answer
        await self._remember(asking, reply)
        return reply

    async def _remember(self, asking: Asking, reply: Reply) -> None:
        assert asking.id is not None, "without an id nothing is remembered"
        await self._store.commit(asking.accepted(Unit()).answer(asking.id, reply, time.time()))

    async def prune(self) -> None:
        """Forget what is older than a day."""
        await self._store.commit(Unit().prune_requests(time.time() - _KEPT))


def _check_same(asking: Asking, method: str) -> None:
    if method != asking.method:
        raise Conflict(f"request {asking.id} was a {method} before")


def _given_again(reply: Reply) -> Reply:
    if _REFUSED in reply:
        raise from_wire(*reply[_REFUSED])
    return reply
