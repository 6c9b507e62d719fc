"""A token as a person gives it, kept from those who list processes."""

from __future__ import annotations

import sys

from setproctitle import setproctitle

#: Longer than any token.
_LONGEST = 10_000


def read(word: str, title: str) -> str:
    """Return the token of the command line, which shows `title` from now on; `-`: the first line of standard input."""
    if word == "-":
        return sys.stdin.readline(_LONGEST).strip()
    setproctitle(title)  # every user of the machine may see another one's command line
    return word
