"""One connection that has become an agent's terminal."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from descartes_core.errors import DescartesError, InvalidParams, ProtocolError
from descartes_core.frames import FrameReader, bytes_frame, json_frame
from descartes_core.messages.terminals import Attach
from descartes_daemon.agent import Agent
from descartes_daemon.agents import Agents
from descartes_daemon.first_screen import first_screen
from descartes_daemon.keys import Keys
from descartes_daemon.terminal import Terminal
from descartes_daemon.unit import Unit

#: What is read from the log in one go.
_PIECE = 65_536
#: A program paints anew when its size changes; so it is changed for this long (seconds).
_NUDGE = 0.05
#: What was typed is noted at most this often (seconds), and only while somebody types.
_NOTE_EVERY = 1.0


class Attachment:
    """Sends an agent's output as frames, and types what comes back.

    The log is the queue: while the other side takes nothing, nothing is read, and it falls behind at no cost.
    """

    def __init__(
        self, transport: asyncio.Transport, agent: Agent, agents: Agents, request: Attach, client: str
    ) -> None:
        self._transport = transport
        self._agent = agent
        self._agents = agents
        self._client = client
        self._may_type = request.mode == "rw"
        self._frames = FrameReader()
        self._offset = agent.log.size if request.offset is None else request.offset
        self._size = (request.rows, request.cols) if request.rows and request.cols else None
        self._paints = request.offset is None
        self._is_nudging = False
        self._is_paused = False
        self._is_over = False
        self._is_held = False
        self._typed = 0
        self._untold = 0  # bytes of which the other side does not know yet that the terminal has them
        self._note: asyncio.TimerHandle | None = None
        self._finished: asyncio.Task[None] | None = None
        self._goes_on = asyncio.Event()
        if self._offset > agent.log.size:
            raise InvalidParams(f"offset {self._offset} lies beyond the {agent.log.size} bytes there are")

    def begin(self) -> None:
        """Show something at once, then follow the log."""
        if self._may_type and self._agent.pen is None:
            self._agent.pen, self._agent.pen_holder = self, self._client
        rows, cols = self._size or (self._agent.row.rows, self._agent.row.cols)
        if self._paints:
            vt = first_screen(self._agent.log, rows)
            self._say({"type": "screen", "vt": vt, "rows": rows, "cols": cols, "offset": self._offset})
            self._agents.background.start(self._repaint(), f"repaint {self._agent.id}")
        else:
            self._say({"type": "offset", "offset": self._offset})
            self._apply_size()
        self._agent.log.followers.add(self._follow)
        self._agent.listeners.add(self._say)
        self._finished = self._agents.background.start(self._until_ended(), f"attached {self._agent.id}")
        self._more()

    @property
    def _has_pen(self) -> bool:
        return self._agent.pen is self

    async def _repaint(self) -> None:
        """Make the program paint anew: one row less for a moment, then the size it is to have."""
        if self._agent.body is None:
            return
        if self._wanted() == self._agent_size():
            await self._nudge(self._agent.body.terminal)
        await self._agents.set_size(self._agent, *self._wanted())

    async def _nudge(self, terminal: Terminal) -> None:
        rows, cols = self._agent_size()
        nudged = rows - 1 if rows > 1 else rows + 1, cols
        # Held back meanwhile: a size asked for now would undo the nudge before the program has seen it.
        self._is_nudging = True
        terminal.resize(*nudged)
        await asyncio.sleep(_NUDGE)
        self._is_nudging = False
        # Whoever else came meanwhile may have given it a size.
        if self._agent.body is not None and terminal.size == nudged:
            terminal.resize(*self._agent_size())

    def _agent_size(self) -> tuple[int, int]:
        return self._agent.row.rows, self._agent.row.cols

    def _wanted(self) -> tuple[int, int]:
        return self._size if self._size is not None and self._has_pen else self._agent_size()

    def _apply_size(self) -> None:
        """Give the terminal the size of who types; others watch in theirs."""
        if self._size is not None and self._has_pen and not self._is_nudging:
            resize = self._agents.set_size(self._agent, *self._size)
            self._agents.background.start(resize, f"resize {self._agent.id}")

    def _more(self) -> bool:
        """Send what there is; False when the other side takes no more of it for now."""
        while not self._is_paused and not self._is_over:
            piece = self._agent.log.read(self._offset, _PIECE)
            if not piece:
                return True
            self._offset += len(piece)
            self._transport.write(bytes_frame(piece))
        return False

    def _follow(self) -> None:
        self._more()

    async def _until_ended(self) -> None:
        await self._agent.ended.wait()
        row = self._agent.row
        while not self._more():
            self._goes_on.clear()
            await self._goes_on.wait()
        self._say({"type": "exit", "exit_code": row.exit_code, "signal": row.signal, "cause": row.cause})
        self._transport.close()

    def paused(self) -> None:
        """Stop sending: the other side takes nothing."""
        self._is_paused = True

    def resumed(self) -> None:
        """Go on from where it was."""
        self._is_paused = False
        self._more()
        self._goes_on.set()

    def receive(self, data: bytes) -> None:
        """Take what the other side sent.

        Raises:
            DescartesError: it breaks the rules; the connection is to be closed.

        """
        for frame in self._frames.feed(data):
            if isinstance(frame, bytes):
                self._type(frame)
            else:
                self._take(frame)

    def _take(self, frame: dict[str, Any]) -> None:
        kind, rows, cols = frame.get("type"), frame.get("rows"), frame.get("cols")
        if kind == "input" and isinstance(frame.get("data"), str):
            self._type(_bytes_of(frame["data"]))
        elif kind == "resize" and isinstance(rows, int) and isinstance(cols, int):
            if 1 <= rows <= 1000 and 1 <= cols <= 1000:
                self._size = rows, cols
                self._apply_size()
        elif kind == "take" and self._may_type:
            self._agent.pen, self._agent.pen_holder = self, self._client
            self._agent.tell({"type": "pen", "holder": self._client})
            self._apply_size()

    def _type(self, data: bytes) -> None:
        if not self._has_pen and self._agent.pen is None and self._may_type:
            self._agent.pen, self._agent.pen_holder = self, self._client
        self._untold += len(data)
        if not self._has_pen or self._agent.body is None:
            self._say({"type": "pen", "holder": self._agent.pen_holder})
        else:
            self._type_into(self._agent.body.keys, data)
        if not self._is_held:
            self._tell_taken()

    def _type_into(self, keys: Keys, data: bytes) -> None:
        try:
            keys.type(data)
        except DescartesError as error:
            self._say({"type": "error", "code": error.code, "message": error.message})
            return
        if keys.is_waiting and not self._is_held:
            self._is_held = True
            self._agents.background.start(self._go_on_when_read(keys), f"hold {self._agent.id}")
        if keys.is_behind:
            self._transport.pause_reading()
        self._typed += len(data)
        if self._note is None:
            self._note = asyncio.get_running_loop().call_later(_NOTE_EVERY, self._write_note)

    async def _go_on_when_read(self, keys: Keys) -> None:
        """Take more from who types once the program has read: what is pasted is not to be lost."""
        await keys.typed()
        self._is_held = False
        self._tell_taken()
        if not self._is_over:
            self._transport.resume_reading()

    def _tell_taken(self) -> None:
        """Say how much of what was typed is safe: what is not told before a kill is typed again."""
        taken, self._untold = self._untold, 0
        if taken:
            self._say({"type": "took", "bytes": taken})

    def _write_note(self) -> None:
        """Note who typed how much, not what."""
        self._note = None
        typed, self._typed = self._typed, 0
        if typed:
            self._agents.store.enqueue(Unit().typed(self._agent.id, time.time(), self._client, typed))

    def _say(self, value: dict[str, Any]) -> None:
        if not self._is_over:
            self._transport.write(json_frame(value))

    def close(self) -> None:
        """Let go of the agent; it goes on."""
        self._is_over = True
        self._agent.log.followers.discard(self._follow)
        self._agent.listeners.discard(self._say)
        if self._has_pen:
            self._agent.pen = self._agent.pen_holder = None
            self._agent.tell({"type": "pen", "holder": None})
        if self._note is not None:
            self._note.cancel()
            self._write_note()
        if self._finished is not None:
            self._finished.cancel()


def _bytes_of(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise ProtocolError("the input holds half a character") from None
