"""One who may type into an agent: one at a time does, and sets its size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from descartes_core.errors import Refused, TooLarge
from descartes_core.messages.terminals import Attach
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.keys import Keys
from descartes_daemon.tally import Tally

#: The most that is typed in one go; who pastes more sends more frames, and is held back between them.
LARGEST_INPUT = 512 * 1024
#: The size is another one at most this often (seconds).
_SETTLE = 0.05


class Typist:
    """Types for one connection, while it has the pen."""

    def __init__(self, agents: Agents, agent: Agent, request: Attach, client: str) -> None:
        self._agents, self._agent, self._client = agents, agent, client
        self._may_type = request.mode == "rw"
        self._size = (request.rows, request.cols) if request.rows and request.cols else None
        self._tally = Tally(agents.store, agent.id, client)
        #: So many typed bytes are safe, and that is to be told.
        self.taken = 0
        self._untold = 0
        self._is_held = False
        self._resizing: asyncio.TimerHandle | None = None
        #: Called when there is something to tell.
        self.on_news: Callable[[], None] = lambda: None
        #: Set while more may be typed; a connection reads no further without it.
        self.room = asyncio.Event()
        self.room.set()

    @property
    def has_pen(self) -> bool:
        """Whether it is this one who types."""
        return self._agent.pen is self

    def begin(self) -> bool:
        """Take the pen if nobody has it; say whether the terminal has another size now."""
        return self._may_type and self._agent.pen is None and self.take_pen()

    def take_pen(self) -> bool:
        """Be the one who types; say whether the terminal has another size now.

        Raises:
            Refused: this one only watches.

        """
        if not self._may_type:
            raise Refused("this connection only watches: it came with mode ro")
        self._agent.pen, self._agent.pen_holder = self, self._client
        self._agent.tell({"type": "pen"})
        return self._apply_size()

    def resize(self, rows: int, cols: int) -> None:
        """Have another size; it counts while this one types, others watch in theirs."""
        self._size = rows, cols
        if self._resizing is None:
            self._apply_size()
            self._resizing = asyncio.get_running_loop().call_later(_SETTLE, self._resized)

    def _resized(self) -> None:
        """Look once more: of many sizes in a row, as of a window that is dragged, the last one counts."""
        self._resizing = None
        self._apply_size()

    def _apply_size(self) -> bool:
        return self.has_pen and self._size is not None and self._agents.resize(self._agent, *self._size)

    def type(self, data: bytes) -> None:
        """Type; nobody else has the pen, or nothing is typed.

        Raises:
            TooLarge: that is too much for one go.
            Refused: it was not typed.

        """
        if len(data) > LARGEST_INPUT:
            raise TooLarge(f"a frame may type {LARGEST_INPUT} bytes; send more frames")
        self._untold += len(data)
        try:
            if self._agent.pen is None or not self._may_type:
                self.take_pen()
            if not self.has_pen:
                raise Refused(f"{self._agent.pen_holder} types: send take first")
            if self._agent.body is None:
                raise Refused(f"agent {self._agent.called} has ended")
            self._type(self._agent.body.keys, data)
        finally:
            if not self._is_held:
                self._tell_taken()

    def _type(self, keys: Keys, data: bytes) -> None:
        keys.type(data)
        self._tally.add(len(data), data if self._agents.keeps_input else b"")
        if keys.is_waiting and not self._is_held:
            self._is_held = True
            self._agents.background.start(self._go_on_when_read(keys), f"hold {self._agent.id}")
        if keys.is_behind:
            self.room.clear()

    async def _go_on_when_read(self, keys: Keys) -> None:
        """Take more from who types once the program has read: what is pasted is not to be lost."""
        await keys.typed()
        self._is_held = False
        self._tell_taken()
        self.room.set()
        self.on_news()

    def _tell_taken(self) -> None:
        """Say how much of what was typed is safe: what is not told before a kill is typed again."""
        self.taken += self._untold
        self._untold = 0

    def settle(self) -> None:
        """Tell what of it the program has, and no more: the rest is typed again to the next daemon."""
        waiting = self._agent.body.keys.waiting if self._agent.body is not None else 0
        self.taken += max(0, self._untold - waiting)
        self._untold = 0
        self.on_news()

    def close(self) -> None:
        """Pass the pen back, and note what was typed."""
        self._tally.close()
        self.room.set()
        if self._resizing is not None:
            self._resizing.cancel()
        if self.has_pen:
            self._agent.pen = self._agent.pen_holder = None
            self._agent.tell({"type": "pen"})
