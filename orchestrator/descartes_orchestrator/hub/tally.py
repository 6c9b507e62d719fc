"""What the hub has done since it began."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Each message that came is forwarded, answered, or dropped."""

    messages: int = 0
    bytes: int = 0
    forwarded: int = 0
    forwarded_bytes: int = 0
    answered: int = 0
    #: Answered with a problem: nonsense, nobody there, not allowed, no room.
    problems: int = 0
    #: Not even that: too many problems of one peer, or it does not read.
    dropped: int = 0
    #: Forwarded nowhere, since the addressee was not there, or did not read.
    unreachable: int = 0
    greeted: int = 0
    lost: int = 0
    enrolled: int = 0
