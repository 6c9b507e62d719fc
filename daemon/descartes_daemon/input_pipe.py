"""The stdin of an agent without a terminal: a pipe whose other end its program reads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from descartes_core.errors import Refused
from descartes_daemon.keys import DescriptorKeys
from descartes_local.probe import reached


class InputPipe(DescriptorKeys):
    """Writes to the pipe, until the end of input is said; -1: it was said before, to an earlier daemon."""

    enter = b"\n"

    def __init__(self, descriptor: int, forget: Callable[[], Awaitable[None]]) -> None:
        super().__init__(descriptor, "input")
        #: Takes it out of keeping: while somebody holds it, no program sees its end.
        self._forget = forget
        self._is_ending = descriptor < 0
        self._is_broken = False
        self._over: asyncio.Task[None] | None = None

    def type(self, data: bytes) -> None:
        """Write, without waiting, as `Keys.type`.

        Raises:
            LimitReached: the program does not read, and too much waits already; nothing of this is written.
            Refused: its input has ended, or nobody reads it any more.

        """
        if self._is_ending:
            raise Refused("the agent's input has ended")
        super().type(data)
        self._refuse_broken()

    async def typed(self) -> None:
        """Wait until the pipe has taken all, and its end where that was said.

        Raises:
            Refused: nobody reads it any more.

        """
        await super().typed()
        if self._over is not None:
            await asyncio.shield(self._over)
        self._refuse_broken()

    def end(self) -> None:
        """Let the program read the end of its input, after what waits; a second time it changes nothing."""
        if not self._is_ending:
            self._is_ending = True
            self._over = asyncio.get_running_loop().create_task(self._end(), name="end of input")

    async def _end(self) -> None:
        """Let go everywhere: first there, so that a daemon that is killed in between leaves it open, or ended.

        A later daemon that finds it nowhere knows that it has ended.
        """
        await super().typed()
        await self._forget()
        reached("input.ended")
        self.close()

    def close(self) -> None:
        """Write no more, and close this end."""
        super().close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def descriptor(self) -> int:
        """Where it writes to; -1 when it has ended."""
        return self._descriptor

    def _lose(self) -> None:
        super()._lose()
        self._is_broken = True

    def _refuse_broken(self) -> None:
        if self._is_broken:
            raise Refused("the agent's program reads its input no more")
