"""Hide secrets in what a terminal said and was told, however that is cut.

A secret is looked for in what is seen: colours and other sequences in the midst of it do not hide it from us, nor do
pieces that come seconds apart. So what belongs to one line is held back until that has ended, with its times. A cursor
that moves to another line ends one; a backspace takes back what stood there; a shell's line that goes on in the next
row is one. A secret that a program paints in parts here and there is not found.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator

from descartes_core.recordings.held_line import HeldLine, Taker
from descartes_core.recordings.moments import Moment
from descartes_core.recordings.sequences import Sequences
from descartes_core.redactor import KEY, Rules

#: A line that holds back more of these is given up in part, so that memory has a bound.
_MOST_MOMENTS = 20_000
#: What begins another line, and what else is not seen; both only for a quick look.
_NEW_LINE = re.compile(r"\x1b(?:\[[0-9;]*(?:[ABEFHfdG]|[23]J)|[DEM])")
_FORWARD = re.compile(r"\x1b\[[0-9]*C")
_NOT_SEEN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x18\x1a\x1b\x9c]*|[ -/]*[0-~])")
#: What a quick look does not understand.
_ODD = re.compile("[\b\x80-\x9f]")
_CONTROLS = dict.fromkeys([*range(8), *range(14, 32), 127]) | {11: "\n", 12: "\n"}


def _seen_of(text: str) -> str:
    """Return what is seen of a text, roughly."""
    text = text.replace("\r\n", "\n")
    if "\x1b" in text:
        text = _NOT_SEEN.sub("", _FORWARD.sub(" ", _NEW_LINE.sub("\n", text)))
    if "\r" in text:
        text = text.replace(" \r", "").replace("\r", "\n")
    return text if text.isprintable() else text.translate(_CONTROLS)


class _Held(Taker):
    """A moment whose text is not all told yet."""

    def __init__(self, moment: Moment) -> None:
        super().__init__()
        self.moment = moment


class Hiding:
    """Takes moments and gives them back without secrets, in order; one per recording."""

    def __init__(self, rules: Rules) -> None:
        self._queue: deque[_Held] = deque()
        self._streams = {"out": _Stream(rules, is_typed=False), "in": _Stream(rules, is_typed=True)}

    def feed(self, moment: Moment) -> Iterator[Moment]:
        """Take a moment, and walk over those that can be told by now."""
        held = _Held(moment)
        self._queue.append(held)
        if moment.kind == "gap":
            for stream in self._streams.values():
                stream.end()
        elif moment.kind in self._streams:
            self._streams[moment.kind].feed(moment.data, held)
        if len(self._queue) > _MOST_MOMENTS:
            for stream in self._streams.values():
                stream.line.shorten()
        yield from self._told()

    def rest(self) -> Iterator[Moment]:
        """Walk over those that were held back: nothing more comes."""
        for stream in self._streams.values():
            stream.end()
        yield from self._told()

    def _told(self) -> Iterator[Moment]:
        while self._queue and not self._queue[0].open:
            held = self._queue.popleft()
            if held.moment.kind not in self._streams:
                yield held.moment
            elif data := "".join(held.told).encode("utf-8", "surrogateescape"):
                yield held.moment._replace(data=data)


class _Stream:
    """What was said, or what was typed."""

    def __init__(self, rules: Rules, *, is_typed: bool) -> None:
        self._rules = rules
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._sequences = Sequences()
        #: The moment that a cut character or sequence belongs to, until it goes on.
        self._cut: _Held | None = None
        self.line = HeldLine(rules, is_typed=is_typed)

    def feed(self, data: bytes, held: _Held) -> None:
        text = self._decoder.decode(data)
        if not self.line.is_empty or self._sequences.is_within:
            text = self._slowly(text, text.find("\n") + 1 or len(text), held)
        if self.line.is_empty and not self._sequences.is_within:
            end = text.rfind("\n") + 1
            if end and self._is_harmless(text[:end]):
                held.told.append(text[:end])
                text = text[end:]
        self._slowly(text, len(text), held)
        self._release()
        if self._sequences.is_within or self._decoder.getstate()[0]:
            self._cut, held.open = held, held.open + 1

    def end(self) -> None:
        """Nothing goes on with what is here."""
        rest = self._sequences.rest() + self._decoder.decode(b"", final=True)
        self._decoder.reset()
        if self._cut is not None:
            self.line.take_rest(rest, self._cut)
        self._release()
        self.line.end()

    def _slowly(self, text: str, end: int, held: _Held) -> str:
        for token in self._sequences.feed(text[:end]):
            self.line.take(token, held)
        return text[end:]

    def _release(self) -> None:
        if self._cut is not None:
            self._cut.open -= 1
            self._cut = None

    def _is_harmless(self, text: str) -> bool:
        """Say whether whole lines hold nothing, from a quick look; most do not."""
        if _ODD.search(text) or self.line.is_in_key:
            return False
        seen = _seen_of(text)
        # Titles and links are not seen, and looked at as they are.
        return not any(KEY in one or any(self._rules.lines(one)) for one in ({text, seen}))
