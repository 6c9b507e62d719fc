"""Hide secrets in text that comes in pieces, cut anywhere.

A secret is looked for line by line, so a line is held back until it has ended; of one longer than `LONGEST_LINE` the
last `_TAIL` characters are, so secrets up to that length are found there, too. However it is cut, the text is the same.
What is hidden: what `redaction` knows by its name or shape, values that are known, what the user's own patterns find
(RE2; where one has groups, only what those hold), and the lines of a private key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from descartes_core.redaction import HIDDEN, HINTS, NAMES, is_secret_name, patterns

#: A longer line is looked at in parts; it bounds the memory of output without line ends.
LONGEST_LINE = 65_536
#: What is held back of a line that is too long, and what of it is looked at again for a name before a value.
_TAIL, _CONTEXT = 8192, 256
#: A value that is known only because of its variable's name may be any word: a short one is one.
_SHORTEST = 8
_SHORTEST_ASKED_FOR = 4
#: Without it nothing begins a private key.
KEY = "PRIVATE KEY"
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_GOES_ON = re.compile(r"\s*(?:[A-Za-z0-9+/=]{4,100}|[A-Za-z-]{1,20}: .{0,200}|)\s*\Z")
#: A secret that is cut goes on to the end of the word.
_GOES_ON = re.compile(r"[^\s\"']+")

#: A name in prose is none: behind one stands a sign, or before it what an option has.
_NAMED = re.compile(r"[a-z]{0,6}[\"']?[ \t]{0,4}[=:]")
_BEFORE_NAMES = "-_i?&"

Span = tuple[int, int]


def known_values(environment: Mapping[str, str], variables: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the secrets of an environment, longest first: of variables that are named, or whose names tell."""
    asked = set(variables)
    found = {
        value
        for name, value in environment.items()
        if (name in asked and len(value) >= _SHORTEST_ASKED_FOR) or (is_secret_name(name) and len(value) >= _SHORTEST)
    }
    return tuple(sorted(found, key=lambda value: (-len(value), value)))


class Expression(Protocol):
    """A compiled regular expression."""

    @property
    def groups(self) -> int:
        """How many groups it has."""

    def finditer(self, text: str) -> Iterator[Any]:
        """Walk over what it finds."""


class Rules:
    """What is hidden; made once, used for any number of texts."""

    def __init__(self, known: Iterable[str] = (), expressions: Iterable[Expression] = ()) -> None:
        """Take values that are secret, and the user's own expressions (see `expressions.compiled`)."""
        # Of a value with several lines each is one that may stand alone.
        parts = {part.strip() for value in known for part in value.splitlines()}
        self._known = tuple(sorted(part for part in parts if len(part) >= _SHORTEST_ASKED_FOR))
        self._own = tuple(expressions)

    @property
    def known(self) -> tuple[str, ...]:
        """The values that are secret, each in one line."""
        return self._known

    @property
    def has_own(self) -> bool:
        """Whether there are expressions of the user's own."""
        return bool(self._own)

    def lines(self, text: str) -> Iterator[Span]:
        """Walk over the lines in which there may be something, in order; all others are as they are."""
        lower = text.lower()
        if self._own or len(lower) != len(text):
            yield from _all_lines(text)
            return
        begins: dict[int, int] = {}
        for where, words in ((lower, HINTS), (text, self._known)):
            for word in words:
                at = where.find(word)
                while at >= 0:
                    behind = at + len(word)
                    if word not in NAMES or _NAMED.match(lower, behind) or lower[at - 1] in _BEFORE_NAMES:
                        begin, end = where.rfind("\n", 0, at) + 1, where.find("\n", at)
                        behind = begins[begin] = end if end >= 0 else len(text)
                    at = where.find(word, behind)
        yield from sorted(begins.items())

    def spans(self, line: str) -> list[Span]:
        """Return what is to be hidden of one line, in order; no two of them touch."""
        bare = line.rstrip("\r\n")
        return merged([*self._values(bare), *self._shapes(bare), *self._asked_for(bare)])

    def hide(self, text: str) -> str:
        """Return a text of any number of lines without its secrets."""
        return Redactor(self).whole(text)

    def _values(self, line: str) -> Iterator[Span]:
        for value in self._known:
            at = line.find(value)
            while at >= 0:
                yield at, at + len(value)
                at = line.find(value, at + 1)

    def _shapes(self, line: str) -> Iterator[Span]:
        lower = line.lower()
        for pattern in patterns():
            if pattern.may_be_in(lower):
                for found in pattern.expression.finditer(line):
                    yield found.end(1) if pattern.expression.groups else found.start(), found.end()

    def _asked_for(self, line: str) -> Iterator[Span]:
        for expression in self._own:
            for found in expression.finditer(line):
                for group in range(1, expression.groups + 1) if expression.groups else (0,):
                    if found.start(group) >= 0:
                        yield found.span(group)


class LineByLine:
    """The same rules for line after line: it remembers whether a private key goes on."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        #: Whether the next line may be one of a private key.
        self.is_in_key = False

    def spans(self, line: str) -> list[Span]:
        """Return what is to be hidden of the next line."""
        bare = line.rstrip("\r\n")
        if self.is_in_key:
            self.is_in_key = _KEY_GOES_ON.match(bare) is not None
            if self.is_in_key:
                return [(0, len(bare))] if bare.strip() else []
        self.is_in_key = KEY in line and _KEY_BEGINS.search(line) is not None and "-----END" not in line
        return self._rules.spans(line)


class Redactor:
    """Takes pieces of text and gives them back without secrets; one per text."""

    def __init__(self, rules: Rules) -> None:
        self._rules, self._by_line = rules, LineByLine(rules)
        self._held: list[str] = []  # of a line that has not ended
        self._length = 0
        self._context = ""  # what was given out of this line
        self._is_secret_on = False  # whether that ends within a secret, which goes on

    def feed(self, text: str) -> str:
        """Take a piece, and return what can be told by now."""
        if text:
            self._held.append(text)
            self._length += len(text)
        if "\n" not in text and self._length <= LONGEST_LINE:
            return ""
        return self._told("".join(self._held))

    def rest(self) -> str:
        """Return what was held back: nothing more comes."""
        text = self._told("".join(self._held)) + self._line("".join(self._held))
        self._held, self._length = [], 0
        return text

    def whole(self, text: str) -> str:
        """Do the same with a text that is all there is."""
        return self.feed(text) + self.rest()

    def _told(self, text: str) -> str:
        end = text.rfind("\n") + 1
        told = self._lines(text[:end])
        shown, rest = self._shortened(text[end:])
        self._held, self._length = [rest] if rest else [], len(rest)
        return told + shown

    def _lines(self, text: str) -> str:
        """Return lines that have ended, most of which hold nothing."""
        is_plain = not (self._context or self._is_secret_on or self._by_line.is_in_key or KEY in text)
        if not is_plain or _has_long_line(text):
            return "".join(self._line(text[begin:end]) for begin, end in _all_lines(text))
        told, done = [], 0
        for begin, end in self._rules.lines(text):
            told += [text[done:begin], put(text[begin:end], self._rules.spans(text[begin:end]))]
            done = end
        return "".join([*told, text[done:]])

    def _line(self, line: str) -> str:
        """Return one line, or what is left of it."""
        told, line = self._shortened(line)
        if not self._context and not self._is_secret_on:
            return put(line, self._by_line.spans(line))
        told += self._part(line, len(line))
        if line.endswith("\n"):
            self._context, self._is_secret_on = "", False
        return told

    def _shortened(self, text: str) -> tuple[str, str]:
        """Give out the beginning of a line that is too long, and return the rest."""
        told = []
        at, cut = 0, LONGEST_LINE - _TAIL
        length = len(text) - text.endswith("\n")
        while length - at > LONGEST_LINE:
            told.append(self._part(text[at : at + LONGEST_LINE], cut))
            at += cut
        return "".join(told), text[at:]

    def _part(self, text: str, cut: int) -> str:
        """Return a long line's next part up to a cut, having looked at what is before and behind it, too."""
        before = len(self._context)
        spans = [(begin - before, end - before) for begin, end in self._rules.spans(self._context + text)]
        if self._is_secret_on and (going_on := _GOES_ON.match(text)):
            spans = merged([*spans, (0, going_on.end())])
        self._is_secret_on = any(begin < cut <= end for begin, end in spans)
        self._context = (self._context + text[:cut])[-_CONTEXT:]
        return put(text[:cut], [(max(begin, 0), min(end, cut)) for begin, end in spans if end > 0 and begin < cut])


def merged(spans: list[Span]) -> list[Span]:
    """Return the same in order, so that no two of them touch."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif end > begin:
            found.append((begin, end))
    return found


def put(line: str, spans: list[Span]) -> str:
    """Return a line with these spans hidden."""
    told, done = [], 0
    for begin, end in spans:
        told += [line[done:begin], HIDDEN]
        done = end
    return "".join([*told, line[done:]]) if told else line


def _all_lines(text: str) -> Iterator[Span]:
    begin = 0
    while begin < len(text):
        end = text.find("\n", begin) + 1 or len(text)
        yield begin, end
        begin = end


def _has_long_line(text: str) -> bool:
    at = 0
    while len(text) - at > LONGEST_LINE:
        end = text.rfind("\n", at, at + LONGEST_LINE + 1)
        if end < 0:
            return True
        at = end + 1
    return False
