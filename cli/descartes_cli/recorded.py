"""An agent's recording, moment by moment, as its daemon has it."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Iterable, Iterator

from descartes_cli.client import read as fetch
from descartes_cli.finding import Found
from descartes_cli.log_forms import parts
from descartes_cli.said import Piece, Wanted, said
from descartes_core.errors import NotHere
from descartes_core.recordings.moments import Moment
from descartes_core.times import read


def recorded(found: Found, offset: int = 0) -> Iterator[Moment]:
    """Walk over what it said from an offset on, and over its terminal's sizes; first comes the size it has there.

    Raises:
        NotHere: it has no terminal.

    """
    if not found.agent.get("tty", True):
        raise NotHere(f"{found.name} has no terminal: there is nothing to show again; descartes logs has what it said")
    yield from moments(said(found.socket, found.id, Wanted(where=("offset", offset), times=True)))


def with_input(found: Found, output: Iterator[Moment]) -> Iterator[Moment]:
    """Walk over what was typed, too, as far as that was kept; first comes the size, as before."""
    first = next(output, None)
    if first is not None:
        yield first
        yield from heapq.merge(output, typed(found), key=lambda moment: moment.at)


def typed(found: Found) -> Iterator[Moment]:
    """Walk over what was typed, as far as it was kept."""
    after: int | None = 0
    while after is not None:
        page = fetch(found.socket, "recording.input", {"agent_id": found.id, "after": after})
        for one in page["inputs"]:
            if one["data"] is not None:
                yield Moment(read(one["at"]), "in", base64.b64decode(one["data"]))
        after = page["next"]


def moments(pieces: Iterable[Piece]) -> Iterator[Moment]:
    """Walk over pieces of output as moments; times never go back, as clocks may."""
    size, last = (0, 0), 0.0
    for piece in pieces:
        if piece.gap:
            last = max(last, read(piece.times[0]["at"])) if piece.times else last
            yield Moment(last, "gap", text=_gap(piece.gap))
        for at, data, (cols, rows) in parts(piece):
            last = max(last, read(at))
            if size == (0, 0):
                yield Moment(last, "size", size=(rows, cols))
                size = rows, cols
            if data:
                yield Moment(last, "out", data)
            if size != (rows, cols):
                size = rows, cols
                yield Moment(last, "size", size=size)


def _gap(gap: dict[str, object]) -> str:
    count = int(str(gap["end"])) - int(str(gap["begin"]))
    return f"{count:,} bytes from offset {int(str(gap['begin'])):,} on are gone: {gap['reason']}"
