"""Do each request once: a repeat gets the first answer again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from descartes_core.errors import Conflict
from descartes_daemon.asking import Asking
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit

#: How long an answer is kept for a repeat.
_KEPT = 24 * 3600.0

Reply = dict[str, Any]


class Once:
    """Remembers requests by their id, in memory while they run and in the store for a day."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._running: dict[str, asyncio.Task[Reply]] = {}

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
        if (task := self._running.get(asking.id)) is None:
            task = asyncio.ensure_future(self._do(asking, first, again))
            self._running[asking.id] = task
            task.add_done_callback(lambda _: self._running.pop(asking.id or "", None))
        # The caller may go away: what it asked for is done all the same.
        return await asyncio.shield(task)

    async def _do(
        self, asking: Asking, first: Callable[[], Awaitable[Reply]], again: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        assert asking.id is not None, "without an id nothing is remembered"
        stored = await self._store.reply_of(asking.id)
        if stored is not None and stored.method != asking.method:
            raise Conflict(f"request {asking.id} was a {stored.method} before")
        if stored is not None and stored.reply is not None:
            return stored.reply
        asking.is_accepted = stored is not None
        reply = await (first() if stored is None else again())
        unit = asking.accepted(Unit())
        await self._store.commit(unit.answer(asking.id, reply, time.time()))
        return reply

    async def prune(self) -> None:
        """Forget what is older than a day."""
        await self._store.commit(Unit().prune_requests(time.time() - _KEPT))
