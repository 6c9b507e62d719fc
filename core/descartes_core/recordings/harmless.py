"""Output that may be shown again: it asks a terminal nothing, and changes nothing of it.

What a program asked its terminal, another one would answer, as if it were typed. What it said about mice, keyboards,
clipboards, titles, printers and windows concerns nobody now. Text, colours, places and links stay.
"""

from __future__ import annotations

import re

from descartes_core.recordings.sequences import Sequences, Token

#: Where it writes, how it looks, which part scrolls.
_SHOWN_CSI = re.compile(r"(?:\x1b\[|\x9b)(?:[0-9;:]*[@A-HJ-MPSTXZ`abdefmrsu]|[0-9]* q|!p|\?[0-9;]*[JK])\Z")
#: Its own modes: autowrap, origin, cursor, other screens, synchronized output.
_SHOWN_MODES = {"5", "6", "7", "12", "25", "45", "47", "69", "1047", "1048", "1049", "2026"}
_MODES = re.compile(r"(?:\x1b\[|\x9b)(\??)([0-9;]+)([hl])\Z")
#: Inserting, and what a newline does; others lock the keyboard, or let it be heard twice.
_SHOWN_ANSI_MODES = {"4", "20"}
_SHOWN_ESCAPES = re.compile(r"\x1b(?:[78=>DEMNO\\|}~]|[()*+][0-~]|#[3-8])\Z")
_LINK = re.compile(r"\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)\Z")
#: ENQ asks, too; XON and XOFF would stop the terminal.
_SHOWN_CONTROLS = frozenset("\a\b\t\n\x0b\f\r\x0e\x0f\x84\x85\x88\x8d")
_CLEARED = "\x1b[0m\x1b[r\x1b[H\x1b[2J"


class Harmless:
    """Takes pieces of text cut anywhere, and gives back what may be shown; one per recording."""

    def __init__(self) -> None:
        self._sequences = Sequences()

    def feed(self, text: str) -> str:
        """Return what of it may be shown."""
        return "".join(map(_shown, self._sequences.feed(text)))


def _shown(token: Token) -> str:
    match token.kind:
        case "text":
            return token.text
        case "control":
            return token.text if token.text in _SHOWN_CONTROLS else ""
        case "escape":
            if token.text == "\x1bc":
                return _CLEARED
            return token.text if _SHOWN_ESCAPES.match(token.text) else ""
        case "string":
            return token.text if _LINK.match(token.text) else ""
    if found := _MODES.match(token.text):
        shown = _SHOWN_MODES if found[1] else _SHOWN_ANSI_MODES
        modes = [mode for mode in found[2].split(";") if mode in shown]
        return f"\x1b[{found[1]}{';'.join(modes)}{found[3]}" if modes else ""
    return token.text if _SHOWN_CSI.match(token.text) else ""
