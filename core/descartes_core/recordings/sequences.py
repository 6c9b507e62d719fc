"""Tell text, control characters and control sequences apart, in text cut anywhere.

All tokens together are the text, to the last character. A sequence that a piece cuts waits for the next one; a string
(a title, a link, a picture) that does not end within `LONGEST` is handed over in parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

#: Bounds what is held back.
LONGEST = 65_536

TokenKind = Literal["text", "control", "csi", "escape", "string"]

_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|(?P<csi>(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~])"
    # BEL, CAN, SUB and ST end a string; so does an ESC, which then begins something else.
    r"|(?P<string>(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x18\x1a\x1b\x9c]*(?:[\x07\x18\x1a\x9c]|\x1b\\))"
    r"|(?P<escape>\x1b[ -/]*[0-OQ-WYZ\\`-~])"
    r"|(?P<cut>(?:\x1b\[|\x9b)[0-?]*[ -/]*|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x18\x1a\x1b\x9c]*(?:\x1b\Z)?"
    r"|\x1b[ -/]*)"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
_STRING_END = re.compile(r"[\x07\x18\x1a\x9c]|\x1b\\?")
_STRING_BEGINNINGS = ("\x1b]", "\x1bP", "\x1bX", "\x1b^", "\x1b_", "\x90", "\x98", "\x9d", "\x9e", "\x9f")


class Token(NamedTuple):
    """One of them."""

    kind: str
    text: str


class Sequences:
    """Turns pieces of text into tokens; one per text."""

    def __init__(self) -> None:
        self._held = ""
        self._is_in_string = False

    @property
    def is_within(self) -> bool:
        """Whether the text so far ends within a sequence."""
        return bool(self._held) or self._is_in_string

    def feed(self, text: str) -> Iterator[Token]:
        """Take a piece, and walk over what it completes."""
        text, self._held = self._held + text, ""
        at = 0
        if self._is_in_string:
            ended = _STRING_END.search(text)
            if ended is None or (ended[0] == "\x1b" == text[-1:] and ended.end() == len(text)):
                at = len(text) if ended is None else ended.start()
                self._held = text[at:]
                if at:
                    yield Token("string", text[:at])
                return
            self._is_in_string = False
            # An ESC that ends it begins something else.
            at = ended.start() if ended[0] == "\x1b" else ended.end()
            yield Token("string", text[:at])
        for found in _TOKEN.finditer(text, at):
            kind = found.lastgroup or ""
            if kind != "cut":
                yield Token(kind, found[0])
            elif found.end() < len(text):
                yield Token("string" if found[0].startswith(_STRING_BEGINNINGS) else "control", found[0])
            elif len(found[0]) <= LONGEST:
                self._held = found[0]
            else:
                self._is_in_string = found[0].startswith(_STRING_BEGINNINGS)
                yield Token("string" if self._is_in_string else "control", found[0])

    def rest(self) -> str:
        """Return what was held back: nothing more comes."""
        held, self._held = self._held, ""
        return held
