"""Give this session another name: many who ask at once share one write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from descartes_core.errors import Unavailable
from descartes_core.ids import check_name
from descartes_core.messages.sessions import RenameSession
from descartes_daemon import title
from descartes_daemon.asking import Asking
from descartes_daemon.background import Background
from descartes_daemon.session_upkeep import Upkeep
from descartes_daemon.store import Store
from descartes_daemon.unit import Unit
from descartes_local.probe import reached

Reply = dict[str, Any]


class Renaming:
    """session.rename."""

    def __init__(
        self,
        upkeep: Upkeep,
        store: Store,
        background: Background,
        *,
        info: Callable[[], Reply],
        tell_keeper: Callable[[str], None],
        tell_later: Callable[[Unit], None],
    ) -> None:
        self._upkeep, self._store, self._background = upkeep, store, background
        #: What is answered: session.info.
        self._info = info
        #: Tells whoever starts the next daemon; called in a thread.
        self._tell_keeper = tell_keeper
        #: Stores an event once there is room.
        self._tell_later = tell_later
        #: The name that was asked for last; it is on disk once nobody waits.
        self._last = upkeep.record.name
        self._waiting: list[asyncio.Future[None]] = []
        self._is_writing = False

    async def rename(self, request: RenameSession, asking: Asking) -> Reply:
        """Answer once a write is on disk that holds this name, or one that was asked for later."""
        name = check_name(request.name)
        was, self._last = self._last, name
        if was != name or self._is_writing:
            await self._written()
        if was != name:
            about = {"session_id": self._upkeep.record.id, "was": was, "name": name}
            await self._tell(asking, about)
        return self._info()

    async def _tell(self, asking: Asking, about: Reply) -> None:
        """Tell what is on disk already; where the store has no room, once it has."""
        event = ("SystemEvent", "session_renamed", None, about, time.time())
        try:
            await self._store.commit(asking.accepted(Unit()).event(*event))
        except Unavailable:
            self._tell_later(Unit().event(*event))
            raise

    def _written(self) -> Awaitable[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        if not self._is_writing:
            self._is_writing = True
            self._background.start(self._write(), "write the session's name")
        return done

    async def _write(self) -> None:
        """Write as long as somebody waits: who asks during a write is served by the next one."""
        waiting: list[asyncio.Future[None]] = []
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                error = await asyncio.to_thread(self._try, self._last)
                if error is not None and not self._waiting:
                    self._last = self._upkeep.record.name
                _settle(waiting, error)
        finally:
            self._is_writing = False
            _settle([*waiting, *self._waiting], Unavailable("the daemon is ending"))
        title.show(self._upkeep.record.name)
        await asyncio.to_thread(self._tell_keeper, self._upkeep.record.name)

    def _try(self, name: str) -> Unavailable | None:
        reached("session.renaming")
        try:
            self._upkeep.rename(name)
        except OSError as error:
            return Unavailable(f"session.json cannot be written: {error.strerror or error}")
        reached("session.renamed")
        return None


def _settle(waiting: list[asyncio.Future[None]], error: Unavailable | None) -> None:
    for done in waiting:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
