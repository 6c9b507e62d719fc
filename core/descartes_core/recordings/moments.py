"""What happened in a terminal, one moment after the other."""

from __future__ import annotations

from typing import Literal, NamedTuple

#: out: it said this; in: somebody typed this; size: rows and columns from now on; mark: a word for people;
#: gap: what was said here is gone, and why.
Kind = Literal["out", "in", "size", "mark", "gap"]


class Moment(NamedTuple):
    """One of them."""

    #: Unix seconds.
    at: float
    kind: Kind
    data: bytes = b""
    #: Of a mark or a gap.
    text: str = ""
    #: (rows, cols), of a size.
    size: tuple[int, int] = (0, 0)
