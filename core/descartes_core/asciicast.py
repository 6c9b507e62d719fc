"""A terminal's output as a recording that asciinema plays (asciicast v2).

One line a time: first the header, then an event for each piece, [seconds since the beginning, kind, data]. Pieces are
cut anywhere, also inside a character: what is cut waits for the next piece. Times never go back, as clocks may.
"""

from __future__ import annotations

import codecs
import json


class Recording:
    """Turns pieces of output into lines; one per recording."""

    def __init__(self, cols: int, rows: int, began: float, title: str = "") -> None:
        self._size = cols, rows
        self._began = began
        self._title = title
        self._last = 0.0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._typed = codecs.getincrementaldecoder("utf-8")("replace")

    def header(self) -> str:
        """Return the first line."""
        cols, rows = self._size
        head: dict[str, object] = {"version": 2, "width": cols, "height": rows, "timestamp": int(self._began)}
        if self._title:
            head["title"] = self._title
        return json.dumps(head, ensure_ascii=False) + "\n"

    def said(self, at: float, data: bytes) -> str:
        """Return the event of a piece of output; nothing where it is but the beginning of a character."""
        text = self._decoder.decode(data)
        return self._event(at, "o", text) if text else ""

    def typed(self, at: float, data: bytes) -> str:
        """Return the event of what somebody typed."""
        text = self._typed.decode(data)
        return self._event(at, "i", text) if text else ""

    def resized(self, at: float, cols: int, rows: int) -> str:
        """Return the event of another size; nothing where it is the same."""
        if (cols, rows) == self._size:
            return ""
        self._size = cols, rows
        return self._event(at, "r", f"{cols}x{rows}")

    def marked(self, at: float, label: str) -> str:
        """Return a marker; half a character before it is given up."""
        rest = self._rest(at)
        return rest + self._event(at, "m", label)

    def ended(self, at: float) -> str:
        """Return what is left."""
        return self._rest(at)

    def _rest(self, at: float) -> str:
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return self._event(at, "o", text) if text else ""

    def _event(self, at: float, kind: str, data: str) -> str:
        self._last = max(self._last, at - self._began)
        return json.dumps([round(self._last, 6), kind, data], ensure_ascii=False) + "\n"
