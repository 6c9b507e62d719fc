"""What somebody looks for: words, "phrases", beginnings*, this OR that, -not."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from descartes_core.errors import InvalidParams
from descartes_daemon.search.words import words

#: More terms than this are a text, not a question.
MOST_TERMS = 32
#: What is not said as plainly as it stands there.
_ODD = re.compile(rb"[^\t\n\r -~]")
_PIECE = re.compile(r'(-?)"([^"]*)"(\*?)|(\S+)')


class Term(NamedTuple):
    """One thing to look for: words one behind the other."""

    words: tuple[str, ...]
    #: Whether the last one is the beginning of a word.
    is_prefix: bool = False

    @property
    def asked(self) -> list[str]:
        """Each of its words, for the index; that they stand in this order is seen in the text."""
        return [*(f'"{word}"' for word in self.words[:-1]), f'"{self.words[-1]}"{" *" if self.is_prefix else ""}']

    def match(self, common: frozenset[str] = frozenset()) -> str:
        """All its words, for the index, but for common ones beside others."""
        return " AND ".join([one for one in self.asked if one not in common] or self.asked)

    def is_common(self, common: frozenset[str]) -> bool:
        """Say whether all its words are common ones."""
        return common.issuperset(self.asked)

    @property
    def pattern(self) -> str:
        """What is looked for in a text of words with blanks around each."""
        return f" {' '.join(self.words)}{'' if self.is_prefix else ' '}"


class Asked(NamedTuple):
    """All terms of a question: of each group one must be there, of `without` none."""

    groups: tuple[tuple[Term, ...], ...]
    without: tuple[Term, ...] = ()

    def match(self, marks: Iterable[Iterable[str]] = (), common: frozenset[str] = frozenset()) -> str:
        """Return it as FTS5 reads it.

        Args:
            marks: Of each group of them one must be there.
            common: Words that are left out where there are others: it takes the index long to go over them all.

        """
        groups = [group for group in self.groups if not any(term.is_common(common) for term in group)] or self.groups
        parts = [_one_of(f"({term.match(common)})" for term in group) for group in groups]
        parts += [_one_of(f'"{one}"' for one in group) for group in marks]
        wanted = " AND ".join(parts)
        # Of a phrase only the text tells.
        single = [term.match() for term in self.without if len(term.words) == 1]
        return f"({wanted}) NOT ({' OR '.join(single)})" if single else wanted

    def fits(self, text: str) -> bool:
        """Say whether a text of words, with blanks around each, is what is looked for."""
        return all(any(term.pattern in text for term in group) for group in self.groups) and not any(
            term.pattern in text for term in self.without
        )

    def may_fit(self, raw: bytes) -> bool:
        """Say, quickly, whether something that an agent wrote may fit: no is for sure."""
        if _ODD.search(raw):
            return True
        lower = raw.lower()
        return all(any(one.search(lower) for one in group) for group in _quick(self.groups))

    @property
    def terms(self) -> list[Term]:
        """All that is looked for."""
        return [term for group in self.groups for term in group]


@functools.lru_cache(maxsize=64)
def _quick(groups: tuple[tuple[Term, ...], ...]) -> list[list[re.Pattern[bytes]]]:
    """Return what is looked for in plain bytes; what stands before and behind is left to a closer look."""
    return [[re.compile(b"[^0-9a-z]+".join(map(str.encode, term.words))) for term in group] for group in groups]


def _one_of(parts: Iterable[str]) -> str:
    return f"({' OR '.join(parts)})"


def spaced(text: str) -> str:
    """Return the words of a text with blanks around each."""
    return f" {' '.join(words(text))} "


def read_query(text: str) -> Asked:
    """Return what a text asks for; every text asks for something, but for one without words.

    Raises:
        InvalidParams: there is nothing to look for, or far too much.

    """
    groups: list[list[Term]] = []
    without: list[Term] = []
    is_or = False
    for minus, quoted, star, word in _PIECE.findall(text):
        if word in ("OR", "AND"):
            is_or = word == "OR" and bool(groups)
            continue
        is_not = bool(minus) or (word.startswith("-") and len(word) > 1)
        found = words(quoted or word)
        if not found:
            continue
        term = Term(tuple(found), bool(star) or word.endswith("*"))
        if is_not:
            without.append(term)
        elif is_or:
            groups[-1].append(term)
        else:
            groups.append([term])
        is_or = False
    if not groups:
        raise InvalidParams(f"query: {text[:100]!r} has no word to look for")
    if sum(len(term.words) for group in [*groups, without] for term in group) > MOST_TERMS:
        raise InvalidParams(f"query: more than {MOST_TERMS} words")
    return Asked(tuple(map(tuple, groups)), tuple(without))
