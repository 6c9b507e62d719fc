"""The forms in which logs shows what an agent said."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Protocol

from descartes_cli.said import Piece
from descartes_core.asciicast import Recording
from descartes_core.plain_text import PlainText
from descartes_core.times import read

#: Columns and rows, where nothing was said in any.
_USUAL = 80, 24


class Form(Protocol):
    """Turns pieces of one stream into what is written; one per stream."""

    def take(self, piece: Piece) -> bytes:
        """Return what can be written of it now, also of a pause."""

    def end(self) -> bytes:
        """Return what is left."""


class Raw:
    """The bytes as they were."""

    def take(self, piece: Piece) -> bytes:
        """Return them."""
        return piece.data

    def end(self) -> bytes:
        """Return nothing: nothing was held back."""
        return b""


class Text:
    """Text without control sequences; with an expression only the lines it is found in."""

    def __init__(self, expression: re.Pattern[str] | None = None) -> None:
        self._plain = PlainText()
        self._expression = expression
        self._begun = ""  # of a line that is not whole

    def take(self, piece: Piece) -> bytes:
        """Return its lines; at a pause or a gap the unfinished one, too: a prompt has no line end."""
        if piece.gap:
            return self.end()
        shown = self._chosen(self._plain.feed(piece.data))
        if piece.is_pause and self._expression is None:
            shown += self._plain.rest()
        return shown.encode()

    def end(self) -> bytes:
        """Return the unfinished line."""
        return self._chosen(self._plain.rest(), last=True).encode()

    def _chosen(self, text: str, *, last: bool = False) -> str:
        if self._expression is None:
            return text
        *whole, self._begun = f"{self._begun}{text}".split("\n")
        if last and self._begun:
            whole, self._begun = [*whole, self._begun], ""
        return "".join(f"{line}\n" for line in whole if self._expression.search(line))


class Json:
    """A JSON object a line, with base64: timestamp, session_id (the agent's), direction, data, size."""

    def __init__(self, agent_id: str, *, with_stream: bool) -> None:
        self._agent_id, self._with_stream = agent_id, with_stream

    def take(self, piece: Piece) -> bytes:
        """Return a line for each part that came at once."""
        return "".join(
            json.dumps(
                {
                    "timestamp": at,
                    "session_id": self._agent_id,
                    "direction": "output",
                    "data": base64.b64encode(data).decode(),
                    "size": len(data),
                    **({"stream": piece.stream} if self._with_stream else {}),
                }
            )
            + "\n"
            for at, data, _ in parts(piece)
            if data
        ).encode()

    def end(self) -> bytes:
        """Return nothing: nothing was held back."""
        return b""


class Cast:
    """A recording that asciinema plays."""

    def __init__(self, title: str, began: str | None) -> None:
        self._title, self._began = title, began
        self._recording: Recording | None = None
        self._last = 0.0

    def take(self, piece: Piece) -> bytes:
        """Return the events of a piece; before the first one the header."""
        lines: list[str] = []
        if piece.gap and not piece.data and self._recording is not None:
            lines.append(self._recording.marked(self._last, f"gap: {piece.gap['reason']}"))
        for at, data, (cols, rows) in parts(piece):
            self._last = read(at)
            if self._recording is None:
                self._recording = Recording(cols, rows, self._last, self._title)
                lines.append(self._recording.header())
            lines += (self._recording.said(self._last, data), self._recording.resized(self._last, cols, rows))
        return "".join(lines).encode()

    def end(self) -> bytes:
        """Return the rest of it; of an agent that said nothing a recording without events."""
        if self._recording is None:
            return Recording(*_USUAL, read(self._began) if self._began else 0.0, self._title).header().encode()
        return self._recording.ended(self._last).encode()


def parts(piece: Piece) -> Iterator[tuple[str, bytes, tuple[int, int]]]:
    """Walk over the parts of a piece that came at once: when, what, and the terminal's size from then on."""
    begin = piece.offset
    for time in piece.times:
        end = time["end"]
        yield time["at"], piece.data[begin - piece.offset : end - piece.offset], (time["cols"], time["rows"])
        begin = end
