"""Hide secrets in what a terminal said and was told, however that is cut.

A secret is looked for in what is seen: colours and other sequences in the midst of it do not hide it from us, nor do
pieces that come seconds apart. So what belongs to one line is held back until that has ended, with its times. A cursor
that moves to another line ends one; a backspace takes back what stood there, and what a shell writes where its line goes
on in the next row belongs to one line. A secret that a program paints in parts here and there is not found.
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
_NEW_LINE = re.compile(r"(?:\x1b\[|\x9b)[0-9;]*(?:[ABEFHfdG]|[23]J)|\x1b[DEM]|[\n\x0b\x0c\x85]|(?<! )\r(?!\n)")
_FORWARD = re.compile(r"(?:\x1b\[|\x9b)[0-9]*C")
_NOT_SEEN = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x18\x1a\x1b\x9c]*"
    r"|\x1b[ -/]*[0-~]|[\x00-\x07\x0e-\x1f]| ?\r"
)


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
        elif (stream := self._streams.get(moment.kind)) is not None:
            stream.feed(moment.data, held)
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
        if self.line.is_empty and not self._sequences.is_within:
            end = text.rfind("\n") + 1
            if end and self._is_harmless(text[:end]):
                held.told.append(text[:end])
                text = text[end:]
        for token in self._sequences.feed(text):
            self.line.take(token, held)
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

    def _release(self) -> None:
        if self._cut is not None:
            self._cut.open -= 1
            self._cut = None

    def _is_harmless(self, text: str) -> bool:
        """Say whether whole lines hold nothing, from a quick look; most do not."""
        if "\b" in text or self.line.is_in_key:
            return False
        seen = _NOT_SEEN.sub("", _FORWARD.sub(" ", _NEW_LINE.sub("\n", text)))
        # Titles and links are not seen, and looked at as they are.
        return not any(KEY in one or any(self._rules.lines(one)) for one in ({text, seen}))
