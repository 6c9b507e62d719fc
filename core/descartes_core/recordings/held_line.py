"""One line of a terminal, held back until it is known what is secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from descartes_core.recordings.sequences import Token
from descartes_core.redaction import HIDDEN
from descartes_core.redactor import LineByLine, Rules, Span, merged, put

#: More than this is not held back: characters that are seen, all characters, parts.
_MOST_SEEN, _MOST, _MOST_PARTS = 65_536, 262_144, 4096
#: What then stays, and what a secret's name may be before it.
_TAIL, _CONTEXT = 8192, 256
#: What is looked at before something is taken back, where so much was new: no secret is shorter.
_LOOK_BACK, _LOOK_AFTER = 4096, 4
#: Parts that are not seen are one up to this length.
_ONE_PART = 1024
_MOVES = re.compile(r"(?:\x1b\[|\x9b)([0-9]*)([CD])\Z")
_ANOTHER_LINE = re.compile(r"(?:\x1b\[|\x9b)[0-9;]*(?:[ABEFHfdG]|[23]J)\Z|\x1b[DEM]\Z|[\n\x0b\x0c\x85]\Z")
_GOES_ON = re.compile(r"[^\s\"']+")


class Taker:
    """Takes the parts of one moment, in order, once they are told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        #: How many of its parts wait.
        self.open = 0


@dataclass(slots=True)
class _Part:
    taker: Taker
    #: What is told of it.
    raw: str
    #: What is seen of it; characters of both stand for one another, unless it is fixed.
    seen: str = ""
    is_fixed: bool = False
    #: The sequence directly before it, in which a secret may begin for who reads the bytes.
    before: str = ""


@dataclass(slots=True)
class HeldLine:
    """The line that the cursor is in."""

    rules: Rules
    #: What is typed ends a line by Enter: CR.
    is_typed: bool = False
    _by_line: LineByLine = field(init=False)
    _parts: list[_Part] = field(default_factory=list)
    _context: str = ""
    _size: int = 0
    _seen: int = 0
    _is_after_return: bool = False
    #: Characters since something was taken back.
    _new: int = 0
    #: Whether what was told ends within a secret.
    _is_secret_on: bool = False
    #: The sequence that came last, until something else does.
    _sequence: str = ""

    def __post_init__(self) -> None:
        self._by_line = LineByLine(self.rules)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held back, and a line begins."""
        return not (self._parts or self._context or self._sequence)

    @property
    def is_in_key(self) -> bool:
        """Whether the next line may be one of a private key."""
        return self._by_line.is_in_key

    def take(self, token: Token, taker: Taker) -> None:
        """Take the next token."""
        if self._is_after_return and token.text != "\n":
            # A shell whose line is full writes a blank into the next row and goes back over it.
            if self._last_seen() == " " and token.kind == "text":
                self._take_back(1)
            else:
                self.end()
        self._is_after_return = token.text == "\r" and not self.is_typed
        if token.kind == "text":
            self._new += len(token.text)
            self._add(taker, token.text, token.text)
            self._parts[-1].before = self._sequence
        elif token.kind == "string":
            self._add(taker, self._hidden(token.text))
        else:
            self._add(taker, token.text)
            self._do(token.text)
        is_sequence = token.kind in ("csi", "escape") or token.text[0] in "\x1b\x9b"
        self._sequence = token.text if is_sequence and token.kind != "string" else ""
        if self._seen > _MOST_SEEN or self._size > _MOST or len(self._parts) > _MOST_PARTS:
            self.shorten()

    def take_rest(self, text: str, taker: Taker) -> None:
        """Take what was cut and does not go on."""
        if text:
            self._add(taker, self._hidden(text))

    def end(self) -> None:
        """Let all of it be told."""
        self._hide(self._spans(), is_last=True)
        self._tell(len(self._parts))
        self._context, self._is_secret_on, self._is_after_return = "", False, False

    def shorten(self) -> None:
        """Let most of it be told, up to where no secret is cut."""
        spans = self._spans()
        cut = max(self._seen - _TAIL, 0) or self._seen
        for begin, end in spans:
            if begin < cut <= end:
                cut = end if end < self._seen or begin <= 0 else begin
        self._hide(spans)
        self._is_secret_on = any(begin < cut <= end for begin, end in spans)
        at = number = 0
        told = []
        while number < len(self._parts) and at < cut:
            part = self._parts[number]
            if not part.is_fixed and at + len(part.seen) > cut:
                self._split(number, cut - at)
                part = self._parts[number]
            told.append(part.seen)
            at += len(part.seen)
            number += 1
        self._context = (self._context + "".join(told))[-_CONTEXT:]
        self._tell(number if at < self._seen else len(self._parts))

    def _do(self, text: str) -> None:
        if _ANOTHER_LINE.match(text) or (self.is_typed and text == "\r"):
            self.end()
        elif text in "\b\x7f":
            self._take_back(1)
        elif moved := _MOVES.match(text):
            steps = min(int(moved[1] or 1), 1000)
            if moved[2] == "D":
                self._take_back(steps)
            else:
                # Some programs write blanks so.
                self._add(self._parts[-1].taker, "", " ")
                self._parts[-1].is_fixed = True

    def _add(self, taker: Taker, raw: str, seen: str = "") -> None:
        self._size += len(raw)
        self._seen += len(seen)
        last = self._parts[-1] if self._parts else None
        if last is not None and last.taker is taker and not seen and not last.seen and len(last.raw) < _ONE_PART:
            last.raw += raw
            return
        taker.open += 1
        self._parts.append(_Part(taker, raw, seen))

    def _last_seen(self) -> str:
        return next((part.seen[-1] for part in reversed(self._parts) if part.seen), "")

    def _take_back(self, count: int) -> None:
        """Let the last characters be no longer seen; a secret among them stays one."""
        if not self._seen:
            return
        if self._new >= _LOOK_AFTER:
            self._hide(self._spans(_LOOK_BACK))
        self._new = 0
        number = len(self._parts) - 1
        while count > 0 and number >= 0:
            part = self._parts[number]
            gone = min(len(part.seen), count)
            if gone:
                count -= gone
                self._seen -= gone
                if not part.is_fixed and gone < len(part.seen):
                    self._split(number, len(part.seen) - gone)
                    self._parts[number + 1].seen = ""
                else:
                    part.seen = part.seen[: len(part.seen) - gone]
                    part.is_fixed = part.is_fixed and bool(part.seen)
            number -= 1

    def _split(self, number: int, at: int) -> None:
        part = self._parts[number]
        part.taker.open += 1
        self._parts.insert(number + 1, _Part(part.taker, part.raw[at:], part.seen[at:]))
        part.raw, part.seen = part.raw[:at], part.seen[:at]

    def _spans(self, most: int | None = None) -> list[Span]:
        """Return what is to be hidden of what is seen (or of the last of it), from its beginning on."""
        seen = "".join(part.seen for part in self._parts)
        skipped = 0 if most is None else max(len(seen) - most, 0)
        before = self._context if not skipped else ""
        spans = [
            (b - len(before) + skipped, e - len(before) + skipped) for b, e in self.rules.spans(before + seen[skipped:])
        ]
        if self._is_secret_on and (going_on := _GOES_ON.match(seen)):
            spans.append((0, going_on.end()))
        spans += self._spelled(skipped)
        return merged([(max(begin, 0), end) for begin, end in spans if end > 0])

    def _spelled(self, skipped: int) -> Iterator[Span]:
        """Walk over what is secret together with the sequence before it; that goes, too, where it is still here."""
        runs = list(self._runs(skipped))
        # Most begin with a colour and hold nothing: one quick look for all of them.
        lines = "\n".join(text for _, _, text in runs)
        suspects = {lines.count("\n", 0, begin) for begin, _ in self.rules.lines(lines)} if runs else ()
        for number, at, text in (runs[suspect] for suspect in sorted(suspects)):
            before = self._parts[number].before
            for _, end in [one for one in self.rules.spans(text) if one[0] < len(before) < one[1]]:
                if number and self._parts[number - 1].raw.endswith(before):
                    self._parts[number - 1].raw = self._parts[number - 1].raw[: -len(before)]
                    self._size -= len(before)
                yield at, at + end - len(before)

    def _runs(self, skipped: int) -> Iterator[tuple[int, int, str]]:
        """Walk over the text behind each sequence, with that: the number of its first part, its place, the text."""
        at = first = begin = 0
        run: list[str] = []
        for number, part in enumerate(self._parts):
            if run and (part.before or part.is_fixed or not part.seen):
                yield first, begin, "".join(run)
                run = []
            if part.before and part.seen and at >= skipped:
                first, begin, run = number, at, [part.before, part.seen]
            elif run:
                run.append(part.seen)
            at += len(part.seen)
        if run:
            yield first, begin, "".join(run)

    def _hide(self, spans: list[Span], *, is_last: bool = False) -> None:
        """Put what is hidden in the place of what is secret."""
        if is_last and self.is_line_of_key():
            spans = merged([*spans, (0, self._seen)])
        if not spans:
            return
        parts, self._parts = self._parts, []
        at = 0
        for part in parts:
            end = at + len(part.seen)
            within = [(b, e) for b, e in spans if b < end and e > at] if part.seen and not part.is_fixed else []
            if within:
                self._replace(part, at, within)
            else:
                self._parts.append(part)
            at = end

    def _replace(self, part: _Part, at: int, spans: list[Span]) -> None:
        pieces: list[_Part] = []
        done = 0
        for begin, end in spans:
            first, last = max(begin - at, 0), min(end - at, len(part.seen))
            if first > done:
                pieces.append(_Part(part.taker, part.raw[done:first], part.seen[done:first]))
            put_here = HIDDEN if begin >= at else ""
            pieces.append(_Part(part.taker, put_here, part.seen[first:last], is_fixed=True))
            done = last
        if done < len(part.seen):
            pieces.append(_Part(part.taker, part.raw[done:], part.seen[done:]))
        part.taker.open += len(pieces) - 1
        self._parts += pieces

    def is_line_of_key(self) -> bool:
        """Note whether this line belongs to a private key; asked once for each."""
        seen = "".join(part.seen for part in self._parts)
        was, _ = self._by_line.is_in_key, self._by_line.spans(seen)
        return was and self._by_line.is_in_key and bool(seen.strip())

    def _hidden(self, text: str) -> str:
        return put(text, self.rules.spans(text))

    def _tell(self, count: int) -> None:
        for part in self._parts[:count]:
            part.taker.told.append(part.raw)
            part.taker.open -= 1
            self._size -= len(part.raw)
            self._seen -= len(part.seen)
        del self._parts[:count]
        if not self._parts:
            self._size = self._seen = 0
