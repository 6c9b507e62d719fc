"""Let few begin in one turn of the loop, so that no crowd holds up others."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """A gate in order of arrival; at rest it costs nothing."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_turning = False

    async def take(self) -> None:
        """Wait until it is one's turn: at once where few have begun in this turn of the loop."""
        self._begin()
        if self._left and not self._waiting:
            self._left -= 1
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        await mine

    def _begin(self) -> None:
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_turning = False
        self._left = self._most
        while self._waiting and self._left:
            # Who has gone away meanwhile takes no turn.
            if not (first := self._waiting.popleft()).done():
                first.set_result(None)
                self._left -= 1
        if self._waiting or self._left < self._most:
            self._begin()
