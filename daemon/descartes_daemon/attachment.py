"""One watcher of an agent's terminal, by whatever connection it came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from descartes_core.errors import DescartesError, InvalidParams, ProtocolError, Refused
from descartes_core.messages.terminals import Attach
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.comings import Comings
from descartes_daemon.repaint import make_paint
from descartes_daemon.screens import Screens
from descartes_daemon.typist import Typist

#: What is read from the log in one go.
_PIECE = 65_536
#: A client that says nonsense this often is no client of ours.
MOST_NONSENSE = 100

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class House:
    """What all attachments of a daemon share."""

    agents: Agents
    screens: Screens
    comings: Comings
    #: Screens are made one after the other; who waits here can still go away, and then none is made for nobody.
    painting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))


class Attachment:
    """Says what a watcher is to be sent next, and does what it asks for.

    The log is the queue: a connection asks for the next frame when it can take one, so who takes nothing falls behind
    at no cost. What is told besides is how things are now, never a list of how they were.
    """

    def __init__(self, house: House, agent: Agent, request: Attach, client: str, *, tells_taken: bool = True) -> None:
        self._house, self._agent, self._request, self._client = house, agent, request, client
        self._tells_taken = tells_taken
        self._typist = Typist(house.agents, agent, request, client)
        self._offset = agent.log.size if request.offset is None else request.offset
        self._on_news: Callable[[], None] = lambda: None
        #: Whether the last frame was taken.
        self.is_over = False
        # What is to be told next: there is never more than one of each.
        self._opening: Frame | None = None
        self._tells_pen = True
        self._error: Frame | None = None
        self._resized: tuple[int, Frame] | None = None
        #: Nothing is sent before the screen is.
        self._is_painting = True
        self._nonsense = 0
        self._finished: asyncio.Task[None] | None = None
        self._painter: asyncio.Task[None] | None = None
        agent.listeners.add(self._told)

    def begin(self, on_news: Callable[[], None]) -> None:
        """Take the pen if nobody has it, show a screen or go on from an offset, then follow the log.

        Args:
            on_news: called when there may be a next frame.

        """
        self._on_news = self._typist.on_news = on_news
        is_resized = self._typist.begin()
        self._agent.log.followers.add(on_news)
        self._house.comings.came(self._agent, self._client, self._request.mode)
        self._finished = self._start(self._until_ended(), "attached to")
        if self._request.offset is None:
            self._painter = self._start(self._paint(is_resized=is_resized), "screen of")
        else:
            self._opening = {"type": "offset", "offset": self._offset}
            self._is_painting = False
            self._on_news()

    def info(self) -> dict[str, Any]:
        """Return the agent as every list shows it."""
        return self._agent.info()

    @property
    def room(self) -> asyncio.Event:
        """Set while more may be typed; a connection reads no further without it."""
        return self._typist.room

    @property
    def has_ended(self) -> bool:
        """Whether the agent has: nothing but what it said is still to come."""
        return self._agent.ended.is_set()

    def next(self) -> bytes | Frame | None:
        """Return the next frame to send, None when there is none for now (or, once it is over, ever)."""
        if self._is_painting or self.is_over:
            return None
        return self._notice() or self._gap() or self._piece() or self._new_size() or self._end()

    def _notice(self) -> Frame | None:
        if self._opening is not None:
            opening, self._opening = self._opening, None
            return opening
        if self._tells_pen:
            self._tells_pen = False
            return self.pen()
        taken, self._typist.taken = self._typist.taken, 0
        if taken and self._tells_taken:
            return {"type": "took", "bytes": taken}
        error, self._error = self._error, None
        return error

    def pen(self) -> Frame:
        """Tell who types."""
        return {"type": "pen", "holder": self._agent.pen_holder, "yours": self._typist.has_pen}

    def _gap(self) -> Frame | None:
        """Tell what was dropped before it was read, and go on behind it."""
        gap = self._agent.log.gap(self._offset)
        if gap is None:
            return None
        self._offset = gap.end
        self._opening = {"type": "offset", "offset": gap.end}
        return {"type": "gap", **gap._asdict()}

    def _piece(self) -> bytes:
        """Read on, but not beyond the place where the size changed before that is told."""
        limit = _PIECE if self._resized is None else min(_PIECE, self._resized[0] - self._offset)
        piece = self._agent.log.read(self._offset, limit)
        self._offset += len(piece)
        return piece

    def _new_size(self) -> Frame | None:
        resized, self._resized = self._resized, None
        return None if resized is None else resized[1]

    def _end(self) -> Frame | None:
        if not self.has_ended:
            return None
        self.is_over = True
        row = self._agent.row
        return {
            "type": "exit",
            "exit_code": row.exit_code,
            "signal": row.signal,
            "cause": row.cause,
            "ended_by": row.ended_by,
        }

    async def _until_ended(self) -> None:
        await self._agent.ended.wait()
        self._on_news()

    def _told(self, news: Frame) -> None:
        """Hear what happened to the agent besides its output."""
        if news["type"] == "pen":
            self._tells_pen = True
        else:
            self._resized = self._agent.log.size, news
        self._on_news()

    async def _paint(self, *, is_resized: bool = False) -> None:
        """Show the screen as it is now, and go on from there; where nobody knows it, let the program paint."""
        is_exact = True
        self._opening = {"type": "offset", "offset": self._offset}
        try:
            async with self._house.painting:
                shown = await self._house.screens.at(self._agent)
            is_exact, self._offset = shown.is_exact, shown.offset
            size = {"rows": shown.rows, "cols": shown.cols}
            self._opening = {"type": "screen", "vt": shown.vt, **size, "offset": shown.offset, "exact": is_exact}
            if self._resized is not None and self._resized[1] == {"type": "resize", **size}:
                self._resized = None
        except DescartesError as error:
            self._refuse(error)
        finally:
            self._is_painting = False
            self._on_news()
        if not (is_exact or is_resized or self.is_over):
            await make_paint(self._agent)

    def obey(self, frame: Frame) -> None:
        """Do what a JSON frame asks for; what makes no sense is told, and does nothing.

        Raises:
            ProtocolError: it breaks the rules; the connection is to be closed.

        """
        self._try(lambda: self._do(frame))

    def type(self, data: bytes) -> None:
        """Type; where another one has the pen that is told, and nothing is typed.

        Raises:
            ProtocolError: it breaks the rules; the connection is to be closed.

        """
        self._try(lambda: self._typist.type(data))

    def _try(self, what: Callable[[], object]) -> None:
        try:
            what()
        except (InvalidParams, Refused) as error:
            self._refuse(error)
            self._tells_pen = True
            self._nonsense += isinstance(error, InvalidParams)
        if self._nonsense >= MOST_NONSENSE:
            raise ProtocolError("too much nonsense")
        self._on_news()

    def _do(self, frame: Frame) -> None:
        match frame:
            case {"type": "input", "data": str(text)}:
                self._typist.type(_bytes_of(text))
            case {"type": "resize", "rows": int(rows), "cols": int(cols)} if _is_size(rows) and _is_size(cols):
                self._typist.resize(rows, cols)
            case {"type": "take"}:
                self._typist.take_pen()
            case {"type": "screen"}:
                if not self._is_painting:
                    self._is_painting = True
                    self._painter = self._start(self._paint(), "screen of")
            case _:
                raise InvalidParams("a frame is input (data), resize (rows and cols, 1 to 1000), take or screen")

    def _refuse(self, error: DescartesError) -> None:
        self._error = {"type": "error", "code": error.code, "message": error.message}

    def _start(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        return self._house.agents.background.start(work, f"{what} {self._agent.id}")

    def close(self) -> None:
        """Let go of the agent; it goes on."""
        if self._told not in self._agent.listeners:
            return
        self.is_over = True
        self._agent.log.followers.discard(self._on_news)
        self._agent.listeners.discard(self._told)
        self._on_news = self._typist.on_news = lambda: None
        self._typist.close()
        if self._painter is not None:
            self._painter.cancel()
        if self._finished is not None:
            self._finished.cancel()
            self._house.comings.went(self._agent, self._client, self._request.mode)


def _is_size(cells: int) -> bool:
    return not isinstance(cells, bool) and 1 <= cells <= 1000


def _bytes_of(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise ProtocolError("the input holds half a character") from None
