"""Find the runner for an agent, or wait until there is one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from descartes_core.bus.messages import Peer
from descartes_core.bus.placing import place
from descartes_core.errors import Refused, Unavailable
from descartes_core.messages.agents import Spawn
from descartes_daemon.remote.runners import RUNNER, Runners
from descartes_daemon.remote.starting import PATIENCE
from descartes_local.probe import reached

#: How long a place is waited for where that was asked for, and not how long (seconds).
_QUEUED = 300.0


class Placing:
    """Chooses among the runners that the hub tells of; who waits is asked in the order of coming, at all news.

    Not only the first one is: what it waits for may never come, and others wait for other runners.
    """

    def __init__(self, runners: Runners) -> None:
        self._runners = runners
        #: Sent to each since it last told how many agents it has.
        self._coming: Counter[str] = Counter()
        self._waiting: list[asyncio.Event] = []

    async def choose(self, request: Spawn) -> tuple[Peer, float]:
        """Return a runner, and until when the program must run there (monotonic).

        Raises:
            Refused: there is none now, or within the time.
            Unavailable: there is no hub.

        """
        assert request.on is not None, "else it runs here"
        usual = _QUEUED if request.queue else PATIENCE
        deadline = time.monotonic() + (usual if request.within is None else request.within)
        news = asyncio.Event()
        try:
            while True:
                try:
                    return self._place(request.on), deadline
                except (Refused, Unavailable):
                    left = deadline - time.monotonic()
                    if not request.queue or left <= 0:
                        raise
                if news not in self._waiting:
                    self._waiting.append(news)
                    reached("remote.queued")
                await _wait(news, left)
        finally:
            if news in self._waiting:
                self._waiting.remove(news)

    def _place(self, on: str) -> Peer:
        if self._runners.bus is None:
            raise Unavailable("this session is at no hub: descartes hub start makes one, descartes hub join finds one")
        if not self._runners.is_connected:
            raise Unavailable("there is no connection with the hub now: descartes doctor says how it stands")
        peer = place(on, self._runners.peers.values(), self._coming)
        self._coming[peer.name] += 1
        return peer

    def came(self, peer: Peer) -> None:
        """Take news of a runner, which says how many agents it has."""
        if peer.role == RUNNER:
            self._coming.pop(peer.name, None)
            for news in self._waiting:
                news.set()


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return
    news.clear()
