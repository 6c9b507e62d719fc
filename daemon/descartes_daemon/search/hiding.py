"""Hide secrets before they come into the index, with a quick look first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import re2

from descartes_core.redaction import HINTS, NAMES
from descartes_core.redactor import LineByLine, Redactor, Rules, put

_KEY = "PRIVATE KEY"


class Hiding:
    """Hides secrets in texts of any number of lines, each whole."""

    def __init__(self, rules: Rules | None) -> None:
        """Take the rules, as `descartes_local.hiding` makes them; None hides nothing."""
        self._rules = rules
        # With expressions of the user's own there is no quick look.
        self._hints = None if rules is None or rules.has_own else _lines_with_hints(rules.known)

    def hide(self, text: str) -> str:
        """Return it without its secrets, and without what is no text and cannot be stored."""
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()  # JSON may have halves of signs
        if self._rules is None:
            return text
        if self._hints is None or _KEY in text:
            return Redactor(self._rules).whole(text)
        if not text.isascii():  # offsets would count bytes
            return Redactor(self._rules).whole(text) if self._hints.search(text.encode()) else text
        told, done = [], 0
        for found in self._hints.finditer(text.encode()):
            begin, end = found.span()
            told += [text[done:begin], put(text[begin:end], self._rules.spans(text[begin:end]))]
            done = end
        return "".join([*told, text[done:]]) if told else text

    def hide_within(self, before: str, text: str, behind: str) -> str:
        """Do the same with a text that is cut out of something, so that what begins or ends elsewhere is seen."""
        if not (before or behind) or self._rules is None:
            return self.hide(text)
        text = text.encode("utf-8", "replace").decode()
        whole, at, spans = f"{before}{text}{behind}", 0, []
        if self._hints is None or _KEY in whole or self._hints.search(whole.encode()):
            by_line = LineByLine(self._rules)
            for line in whole.split("\n"):
                spans += [(at + begin, at + end) for begin, end in by_line.spans(line)]
                at += len(line) + 1
        first, last = len(before), len(before) + len(text)
        here = [(max(begin, first) - first, min(end, last) - first) for begin, end in spans]
        return put(text, [(begin, end) for begin, end in here if begin < end])


def _lines_with_hints(known: Sequence[str]) -> Any:
    """Compile what finds the lines that are worth a closer look: at 400 MB a second."""
    names = "|".join(NAMES)
    hints = "|".join(re.escape(hint) for hint in (*HINTS, *known) if hint not in NAMES)
    # As the rules have it: a name in prose is none.
    named = rf"(?:{names})[a-z]{{0,6}}[\"']?[ \t]{{0,4}}[=:]|[-_i?&](?:{names})"
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return re2.compile(rf"[^\n]*(?:{named}|{hints})[^\n]*".encode(), options)
