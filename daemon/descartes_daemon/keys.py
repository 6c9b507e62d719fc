"""The keyboard of an agent: what is typed, and what it has not taken yet."""

from __future__ import annotations

import abc
import asyncio
import os
import select
import termios

from descartes_core.errors import LimitReached, Refused

#: What may wait for an agent that does not read.
_MOST_WAITING = 1024 * 1024
_MUCH_WAITING = 65_536


class Keys(abc.ABC):
    """Takes what is typed without waiting; what the agent has not taken yet waits here."""

    #: What the Enter key types.
    enter = b"\r"

    @abc.abstractmethod
    def type(self, data: bytes) -> None:
        """Write, without waiting; what is not taken waits in memory.

        Raises:
            LimitReached: the agent does not read, and too much waits already; nothing of this is written.
            Refused: it is closed.

        """

    @abc.abstractmethod
    def end(self) -> None:
        """Say that no more will come, after what waits.

        Raises:
            LimitReached, Refused: as `type`.

        """

    @property
    @abc.abstractmethod
    def waiting(self) -> int:
        """How many typed bytes are not taken yet."""

    @property
    def is_waiting(self) -> bool:
        """Whether something typed is not taken yet."""
        return self.waiting > 0

    @property
    def is_behind(self) -> bool:
        """Whether so much waits that no more should be read from who types."""
        return self.waiting > _MUCH_WAITING

    @abc.abstractmethod
    async def typed(self) -> None:
        """Wait until all that was typed is taken."""

    @abc.abstractmethod
    async def halt(self) -> None:
        """Write nothing more of what waits, once it is known how much that is; who waits is not told it was taken."""

    @abc.abstractmethod
    def close(self) -> None:
        """Write no more, and keep nobody waiting."""


def check_room(waiting: int, more: int, place: str) -> None:
    """Refuse what is too much to wait.

    Raises:
        LimitReached: the agent does not read.

    """
    if waiting + more > _MOST_WAITING:
        raise LimitReached(f"the agent does not read its {place}: {waiting} bytes wait already")


class DescriptorKeys(Keys):
    """Writes to one descriptor; whoever makes it closes the descriptor, after `close`."""

    def __init__(self, descriptor: int, place: str = "terminal") -> None:
        if descriptor >= 0:
            os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        #: How errors call it.
        self._place = place
        self._waiting = bytearray()
        self._room = asyncio.Event()
        self._room.set()
        self._is_closed = False

    def type(self, data: bytes) -> None:
        """Write, without waiting, as `Keys.type`."""
        if self._is_closed:
            raise Refused(f"the agent's {self._place} is closed")
        check_room(len(self._waiting), len(data), self._place)
        self._waiting += data
        if self._room.is_set():
            self._flush()

    async def typed(self) -> None:
        """Wait until all that was typed is taken."""
        await self._room.wait()

    async def halt(self) -> None:
        """Write nothing more of what waits; what a descriptor has taken is known at once."""
        if not self._room.is_set():
            asyncio.get_running_loop().remove_writer(self._descriptor)

    @property
    def waiting(self) -> int:
        """How many typed bytes are not taken yet."""
        return len(self._waiting)

    def close(self) -> None:
        """Write no more, and keep nobody waiting."""
        self._is_closed = True
        self._rest()

    def _flush(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting)]
        except BlockingIOError:
            if not self._is_hung_up():
                if self._room.is_set():
                    self._room.clear()
                    asyncio.get_running_loop().add_writer(self._descriptor, self._flush)
                return
            self._lose()  # nobody could read it, and a poll would spin from here on
        except OSError:
            self._lose()
        self._rest()

    def _lose(self) -> None:
        """Nobody will read any more."""
        self._waiting.clear()

    def _rest(self) -> None:
        if not self._room.is_set():
            asyncio.get_running_loop().remove_writer(self._descriptor)
            self._room.set()

    def _is_hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return any(event & select.POLLHUP for _, event in poll.poll(0))


class TerminalKeys(DescriptorKeys):
    """Types into a terminal."""

    def end(self) -> None:
        """Type the key by which this terminal says it, mostly Ctrl-D; it counts at the beginning of a line."""
        control_characters = termios.tcgetattr(self._descriptor)[6]
        self.type(control_characters[termios.VEOF])
