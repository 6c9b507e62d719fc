"""The line of a passage that says most of what was looked for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from descartes_daemon.search.asked import Asked, Term, spaced

#: Characters of a snippet, and how many of them stand before the first word that was found.
LONGEST, _BEFORE = 240, 60


def snippet(texts: Sequence[tuple[int, str]], asked: Asked) -> tuple[int, str]:
    """Return the offset of the line with the most of it, and what is around there."""
    best, offset, line = -1, texts[0][0], texts[0][1]
    begins = [term.words[0] for term in asked.terms]
    for where, text in texts:
        # What is not ASCII may have accents that the words have not.
        if text.isascii() and best >= 0 and not any(word in text.lower() for word in begins):
            continue
        fitting = _fitting(spaced(text), asked)
        if fitting > best:
            best, offset, line = fitting, where, text
    return offset, _cut(line, asked.terms)


def _fitting(words: str, asked: Asked) -> int:
    return sum(any(term.pattern in words for term in group) for group in asked.groups)


def _cut(line: str, terms: Sequence[Term]) -> str:
    line = " ".join(line.split())
    if len(line) <= LONGEST:
        return line
    places = [found.start() for term in terms if (found := re.search(re.escape(term.words[0]), line, re.IGNORECASE))]
    begin = max(0, min(min(places, default=0) - _BEFORE, len(line) - LONGEST))
    end = begin + LONGEST
    return f"{'…' if begin else ''}{line[begin:end]}{'…' if end < len(line) else ''}"
