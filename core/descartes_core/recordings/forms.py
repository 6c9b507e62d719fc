"""The forms in which a recording is written."""

from __future__ import annotations

import base64
import json
from typing import Literal, Protocol

from descartes_core.asciicast import Recording
from descartes_core.recordings.moments import Moment
from descartes_core.recordings.transcript import html_of, text_of
from descartes_core.redactor import Rules
from descartes_core.times import written

FormName = Literal["cast", "jsonl", "text", "html"]
#: Rows and columns, where nothing was said in any.
_USUAL = 24, 80


class Form(Protocol):
    """Turns moments into what is written; one per recording."""

    def take(self, moment: Moment) -> str:
        """Return what can be written by now."""

    def end(self) -> str:
        """Return the rest."""


def form(name: FormName, title: str, agent_id: str, began: float, rules: Rules | None) -> Form:
    """Return the one that is meant; what is drawn anew is looked through for secrets once more."""
    match name:
        case "cast":
            return Cast(title, began)
        case "jsonl":
            return Lines(agent_id)
        case "text":
            return text_of(title, rules)
        case "html":
            return html_of(title, rules)


class Cast:
    """A recording that asciinema plays (asciicast v2)."""

    def __init__(self, title: str, began: float) -> None:
        self._title, self._began = title, began
        self._recording: Recording | None = None
        self._last = began

    def take(self, moment: Moment) -> str:
        """Return its events; before the first one the header."""
        told = ""
        self._last = moment.at
        if self._recording is None:
            rows, cols = moment.size if moment.kind == "size" else _USUAL
            self._recording = Recording(cols, rows, moment.at, self._title)
            told = self._recording.header()
        rows, cols = moment.size
        match moment.kind:
            case "out":
                return told + self._recording.said(moment.at, moment.data)
            case "in":
                return told + self._recording.typed(moment.at, moment.data)
            case "size":
                return told + self._recording.resized(moment.at, cols, rows)
            case "gap":
                return told + self._recording.marked(moment.at, f"gap: {moment.text}")
            case "mark":
                return told + self._recording.marked(moment.at, moment.text)

    def end(self) -> str:
        """Return the rest; of an agent that said nothing a recording without events."""
        if self._recording is None:
            rows, cols = _USUAL
            return Recording(cols, rows, self._began, self._title).header()
        return self._recording.ended(self._last)


class Lines:
    """A JSON object a line, as `logs --format json` has them, and others for sizes, marks and gaps."""

    def __init__(self, agent_id: str) -> None:
        self._agent_id = agent_id

    def take(self, moment: Moment) -> str:
        """Return its line."""
        told: dict[str, object] = {"timestamp": written(moment.at), "session_id": self._agent_id}
        match moment.kind:
            case "out" | "in":
                told["direction"] = "output" if moment.kind == "out" else "input"
                told |= {"data": base64.b64encode(moment.data).decode(), "size": len(moment.data)}
            case "size":
                told |= {"direction": "resize", "rows": moment.size[0], "cols": moment.size[1]}
            case _:
                told |= {"direction": moment.kind, "text": moment.text}
        return json.dumps(told) + "\n"

    def end(self) -> str:
        """Return nothing: nothing was held back."""
        return ""
