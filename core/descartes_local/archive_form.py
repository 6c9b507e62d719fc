"""How an export of a session is made up.

It is a tar file, as GNU tar and every other one reads it: first what it is, then the parts, last what all must be like
(`manifest.json`). Holes of logs are kept as holes (the sparse format 1.0 of GNU tar). Nothing in it is compressed, so
that nobody's disk is filled by a small file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

#: The number of this form; a reader refuses another one.
FORM = 1
ABOUT, STATE, MANIFEST = "descartes-session.json", "state.db", "manifest.json"
#: What a part may be called; nothing else is ever written anywhere.
PART = re.compile(
    r"agents/(?P<agent>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(?P<file>(?:output|errors)[A-Za-z0-9._-]{0,80})"
)
#: Lies in the data of a session that is imported until its session.json is there: where that will be, and the id.
IMPORTING = "import.json"
BLOCK = 512
#: The largest of what is read into memory.
LARGEST_JSON = 32 * 1024 * 1024
LARGEST_HEADER = 65_536
#: A shorter hole is written as zeros; of a file with more pieces than this longer ones, too.
SHORTEST_HOLE, MOST_EXTENTS = 262_144, 100_000
#: How much is read or written in one go.
PIECE = 1024 * 1024
#: No file that is kept anywhere has more.
LARGEST_FILE = 1 << 60


class Extent(NamedTuple):
    """A piece of a file that holds something."""

    begin: int
    length: int


def padding(size: int) -> bytes:
    """Return what fills the last block."""
    return bytes(-size % BLOCK)


def sparse_map(extents: Sequence[Extent]) -> bytes:
    """Return what stands before the data of a file with holes."""
    lines = [len(extents), *(number for extent in extents for number in extent)]
    text = "".join(f"{number}\n" for number in lines).encode()
    return text + padding(len(text))


def joined(extents: Sequence[Extent]) -> list[Extent]:
    """Return them with the holes between them left out that are too short, or too many, to be kept."""
    shortest = SHORTEST_HOLE
    while True:
        found: list[Extent] = []
        for begin, length in extents:
            if found and begin - sum(found[-1]) < shortest:
                found[-1] = Extent(found[-1].begin, begin + length - found[-1].begin)
            else:
                found.append(Extent(begin, length))
        if len(found) <= MOST_EXTENTS:
            return found
        shortest *= 2
