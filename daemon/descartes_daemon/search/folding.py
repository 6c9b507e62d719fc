"""Find what is drawn again and again only once.

A text that is drawn over another one (a progress bar, a spinner, a clock) is told once, whatever its digits and signs;
a screen that is painted anew tells only what it did not show before; a line below the others only once in a row.
"""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from zlib import crc32

from descartes_daemon.search.strip import Text, is_painted, texts

#: So many texts are remembered at least, and twice as many at most.
_REMEMBERED = 400
#: So many lines after a move to some place may be such as were there before.
_SCREEN = 200
#: Of plain lines so many are remembered, in case something is drawn over them next.
_ABOVE = 50

_NO_LETTERS = bytes(c for c in range(128) if not chr(c).isalpha())
_SIGNS = re.compile(r"[\W\d_]+")
_HEAD = struct.Struct("<HHI")


class Folding:
    """What one stream showed lately."""

    def __init__(self, stored: bytes = b"") -> None:
        self._young: set[int] = set()
        self._old: set[int] = set()
        #: How many of the next lines are where others were, whose digits may differ; and where anything may have been.
        self._below, self._anywhere = 0, 0
        self._line_before = 0
        #: The plain lines of late; looked at only when something is drawn.
        self._plain: list[list[bytes]] = []
        if len(stored) >= _HEAD.size:
            self._below, self._anywhere, self._line_before = _HEAD.unpack_from(stored)
            self._young = {one for (one,) in struct.iter_unpack("<I", stored[_HEAD.size :])}

    def stored(self) -> bytes:
        """Return it as it is kept between two runs."""
        self._remember_plain()
        known = list(self._old - self._young)[: 2 * _REMEMBERED - len(self._young)] + list(self._young)
        return _HEAD.pack(self._below, self._anywhere, self._line_before) + struct.pack(f"<{len(known)}I", *known)

    def fold(self, block: bytes) -> bytes:
        """Return the lines of a cleaned block that are worth being found."""
        if not is_painted(block) and not (self._below or self._anywhere):
            return self._plainly(block)
        self._remember_plain()
        told: list[bytes] = []
        for text in texts(block):
            if text.ups:
                self._below, self._anywhere = max(self._below, text.ups, 0), _SCREEN if text.ups < 0 else self._anywhere
            if text.text and self._is_new(text):
                if told and text.is_redrawn and text.text.startswith(told[-1]):
                    told.pop()  # it grew
                told.append(text.text)
            if text.ends_line:
                self._below, self._anywhere = max(0, self._below - 1), max(0, self._anywhere - 1)
        return b"\n".join(told)

    def _plainly(self, block: bytes) -> bytes:
        lines = block.split(b"\n")
        if not lines[-1]:
            lines.pop()
        if not lines:
            return b""
        self._plain = [*self._plain[-1:], lines]
        was_before, self._line_before = self._line_before, crc32(lines[-1])
        is_again = crc32(lines[0]) == was_before
        if not is_again and len(set(lines)) == len(lines):
            return block.removesuffix(b"\n")
        told = [] if is_again else lines[:1]
        return b"\n".join(told + [line for before, line in pairwise(lines) if line != before])

    def _is_new(self, text: Text) -> bool:
        exact = crc32(text.text)
        if not (text.is_redrawn or self._below or self._anywhere):
            was_before, self._line_before = self._line_before, exact
            self._seen(exact)
            self._seen(_shape(text.text))
            return exact != was_before
        shape = _shape(text.text)
        if shape is None:
            return False
        if text.is_redrawn or self._below:
            return not self._seen(shape)
        self._seen(shape)
        return not self._seen(exact)

    def _remember_plain(self) -> None:
        plain, self._plain = self._plain, []
        for line in [line for lines in plain for line in lines][-_ABOVE:]:
            self._seen(crc32(line))
            self._seen(_shape(line))

    def _seen(self, mark: int | None) -> bool:
        """Say whether it was there lately, and remember it."""
        if mark is None or mark in self._young:
            return True
        is_known = mark in self._old
        self._young.add(mark)
        if len(self._young) >= _REMEMBERED:
            self._old, self._young = self._young, set()
        return is_known


def _shape(text: bytes) -> int | None:
    """Return the mark of a text's letters; None where it has neither letters nor digits."""
    if text.isascii():
        letters = text.translate(None, _NO_LETTERS)
    else:
        letters = _SIGNS.sub("", text.decode("utf-8", "replace").replace("\ufffd", "")).encode()
    if letters:
        return crc32(letters, 1)
    return crc32(b"0", 1) if any(48 <= c <= 57 for c in text) else None
