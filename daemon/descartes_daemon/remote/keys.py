"""The keyboard of an agent elsewhere: in order, and each byte once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from descartes_core.bus.messages import CommandResponse, Payload
from descartes_core.errors import DeadlineOver, DescartesError, LimitReached, Refused, Unavailable
from descartes_core.ids import new_id
from descartes_daemon.keys import Keys, check_room

#: What goes in one message.
_PIECE = 64 * 1024
#: How long one piece is asked for; then it is asked for anew (seconds).
_PATIENCE = 30.0
#: Before a program that reads nothing, or a runner that cannot be asked at all, is tried again (seconds).
_PAUSE = 1.0
#: What is under way when we give way to the next daemon is waited for this long (seconds).
_LAST_WORD = 1.0


class Type(Protocol):
    """Has something typed by the runner."""

    def __call__(self, payload: Payload, *, timeout: float, request_id: str) -> Coroutine[Any, Any, Any]:
        """Return the runner's answer."""


class RemoteKeys(Keys):
    """Types on one channel: the runner leaves out what it has already, so that a repeat is harmless."""

    def __init__(
        self, ask: Type, start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]], *, has_terminal: bool
    ) -> None:
        self.enter = b"\r" if has_terminal else b"\n"
        self._ask, self._start, self._has_terminal = ask, start, has_terminal
        self._waiting = bytearray()
        #: So many bytes of this channel are typed.
        self._channel, self._at = new_id(), 0
        self._ends = False
        #: Why nothing more can be typed.
        self._refused: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_halted = False
        self._idle = asyncio.Event()
        self._idle.set()

    def type(self, data: bytes) -> None:
        """Send it on, without waiting, as `Keys.type`."""
        self._check()
        check_room(len(self._waiting), len(data), "terminal" if self._has_terminal else "input")
        self._waiting += data
        self._go_on()

    def end(self) -> None:
        """Say that no more will come, after what waits; a second time it changes nothing."""
        if self._ends and not self._has_terminal:
            return
        self._check()
        self._ends = True
        self._go_on()

    def _check(self) -> None:
        if self._refused is not None:
            raise Refused(self._refused)
        if self._ends and not self._has_terminal:
            raise Refused("the agent's input has ended")

    @property
    def waiting(self) -> int:
        """How many typed bytes the runner has not taken yet."""
        return len(self._waiting)

    async def typed(self) -> None:
        """Wait until the runner has typed all.

        Raises:
            Refused: it will not.

        """
        await self._idle.wait()
        if self._refused is not None:
            raise Refused(self._refused)

    async def halt(self) -> None:
        """Send nothing more, and wait a moment for the answer to what is under way."""
        self._is_halted = True
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=_LAST_WORD)

    def close(self) -> None:
        """Send no more, and keep nobody waiting."""
        self._refused = self._refused or "the agent has ended"
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
        self._idle.set()

    def _go_on(self) -> None:
        if not (self._waiting or self._ends):
            return
        self._idle.clear()  # also where nothing more is sent: what waits then was not taken
        if not self._is_halted and (self._task is None or self._task.done()):
            self._task = self._start(self._send_all())

    async def _send_all(self) -> None:
        is_ended = False
        while not self._is_halted and self._refused is None:
            if self._waiting:
                await self._send(data=bytes(self._waiting[:_PIECE]))
            elif self._ends and not is_ended:
                is_ended = await self._send(eof=True)
            else:
                break
        if not self._waiting:
            self._ends = self._ends and not (is_ended and self._has_terminal)  # a terminal's end may be typed again
            self._idle.set()
        elif self._refused is not None:
            self._idle.set()

    async def _send(self, **what: Any) -> bool:
        """Have it typed; False where it must be tried again."""
        payload = {**what, "channel": self._channel, "at": self._at}
        try:
            answer = await self._ask(payload, timeout=_PATIENCE, request_id=new_id())
        except DeadlineOver:
            return False
        except (Unavailable, LimitReached):
            await asyncio.sleep(_PAUSE)
            return False
        except DescartesError as error:
            self._refuse(error.message)
            return True
        assert isinstance(answer, CommandResponse), "nothing else answers a command"
        self._take((answer.data or {}).get("written"), is_taken=answer.success)
        return answer.success

    def _take(self, written: object, *, is_taken: bool) -> None:
        """Go on from where the runner is."""
        if isinstance(written, int) and written >= self._at:
            del self._waiting[: written - self._at]
            self._at = written
        elif not is_taken:
            # It has forgotten what was typed, being started anew: what it has not confirmed is a channel of its own.
            self._channel, self._at = new_id(), 0

    def _refuse(self, why: str) -> None:
        self._refused = why
        self._waiting.clear()
        self._idle.set()
