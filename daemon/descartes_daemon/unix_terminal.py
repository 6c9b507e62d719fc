"""An attached terminal on a Unix connection: frames both ways."""

from __future__ import annotations

import asyncio

from descartes_core.frames import FrameReader, bytes_frame, json_frame
from descartes_daemon.attachment import Attachment
from descartes_daemon.background import Background

#: One turn of the loop sends at most this much to one watcher, so that a fast one does not silence the others.
_BURST = 1024 * 1024
#: Who takes nothing for this long after the agent's end is let go (seconds); the log has the rest.
STUCK_AFTER = 60.0


class UnixTerminal:
    """Carries the frames of one attachment."""

    def __init__(self, transport: asyncio.Transport, attachment: Attachment, background: Background) -> None:
        self._transport, self._attachment, self._background = transport, attachment, background
        self._frames = FrameReader()
        #: Answers of before may lie there still.
        self._is_paused = transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]
        self._is_held = False
        self._soon: asyncio.Handle | None = None
        self._giving_up: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Show the terminal."""
        self._attachment.begin(self._send)

    def _send(self) -> None:
        """Send what there is, as far as the other side takes it."""
        sent = 0
        while not self._is_paused and self._soon is None and (frame := self._attachment.next()) is not None:
            data = bytes_frame(frame) if isinstance(frame, bytes) else json_frame(frame)
            self._transport.write(data)
            sent += len(data)
            if sent >= _BURST:
                self._soon = asyncio.get_running_loop().call_soon(self._send_more)
        if self._attachment.is_over:
            # Not here: asyncio calls this from where it may itself be about to end the connection.
            asyncio.get_running_loop().call_soon(self._transport.close)
        is_stuck = self._is_paused or self._attachment.is_over
        if is_stuck and self._attachment.has_ended and self._giving_up is None:
            self._giving_up = asyncio.get_running_loop().call_later(STUCK_AFTER, self._transport.abort)

    @property
    def held(self) -> int:
        """How many bytes of an unfinished frame are kept."""
        return len(self._frames)

    def _send_more(self) -> None:
        self._soon = None
        self._send()

    def receive(self, data: bytes) -> None:
        """Take what the other side sent.

        Raises:
            DescartesError: it breaks the rules; the connection is to be closed.

        """
        for frame in self._frames.feed(data):
            if isinstance(frame, bytes):
                self._attachment.type(frame)
            else:
                self._attachment.obey(frame)
        if not self._attachment.room.is_set() and not self._is_held:
            self._is_held = True
            self._transport.pause_reading()
            self._background.start(self._hear_again(), "hold a terminal")

    async def _hear_again(self) -> None:
        await self._attachment.room.wait()
        self._is_held = False
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def paused(self) -> None:
        """Stop sending: the other side takes nothing."""
        self._is_paused = True

    def resumed(self) -> None:
        """Go on from where it was."""
        self._is_paused = False
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        self._send()

    def close(self) -> None:
        """Let go of the agent."""
        for waiting in (self._soon, self._giving_up):
            if waiting is not None:
                waiting.cancel()
        self._attachment.close()
