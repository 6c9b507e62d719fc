"""Walk over what an agent said, piece by piece, over its daemon's deaths."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from descartes_cli.client import read

#: The most one reply carries.
_PIECE = 1024 * 1024
#: One call follows this long; then it is asked again.
_ROUND = 60.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes, or none: there is nothing more for now."""

    stream: str
    #: Where it begins.
    offset: int
    data: bytes
    #: When what of it was said, where that was asked for: {end, at, rows, cols}.
    times: list[dict[str, Any]]
    #: What is gone just before it: {begin, end, reason}.
    gap: dict[str, Any] | None = None

    @property
    def is_pause(self) -> bool:
        """Whether it only says that there is nothing more for now."""
        return not self.data and self.gap is None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of an agent's output is wanted."""

    stream: str = "stdout"
    #: Where to begin: `offset`, `tail` or `since`, as agent.output has them.
    where: tuple[str, object] = ("offset", 0)
    follow: bool = False
    times: bool = False


def said(socket: str, agent_id: str, wanted: Wanted) -> Iterator[Piece]:
    """Walk over the output; when following, a pause comes before each wait."""
    key, value = wanted.where
    wait = 0.0
    # Left out where they are not needed: an older daemon does not know them.
    more = {"stream": wanted.stream} if wanted.stream != "stdout" else {}
    if wanted.times:
        more["times"] = True  # type: ignore[assignment]
    while True:
        params = {"agent_id": agent_id, key: value, "limit": _PIECE, "wait": wait, **more}
        reply = read(socket, "agent.output", params, timeout=wait + 30.0)
        key, value, wait = "offset", reply["next_offset"], 0.0
        data, gap = base64.b64decode(reply["data"]), reply.get("gap")
        if data or gap:
            yield Piece(wanted.stream, reply["offset"], data, reply.get("times", []), gap)
        if reply["next_offset"] < reply["size"]:
            continue
        if reply["ended"] or not wanted.follow:
            return
        yield Piece(wanted.stream, reply["next_offset"], b"", [])
        wait = _ROUND
