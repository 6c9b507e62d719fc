"""Who is connected to a door of limited room, and who leaves when one more comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar


class Guest(Protocol):
    """One connection."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way for it: then it may be let go."""

    @property
    def held(self) -> int:
        """How many bytes are kept for it of what it has not said to the end."""


G = TypeVar("G", bound=Guest)


class Guests(Generic[G]):
    """Connections: first those that have never said anything, then by what they said last.

    A connection that says nothing costs a descriptor and no timer. It stays until its place is needed.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._silent: dict[G, None] = {}
        self._heard: dict[G, None] = {}

    def __len__(self) -> int:
        return len(self._silent) + len(self._heard)

    def __iter__(self) -> Iterator[G]:
        return iter((*self._silent, *self._heard))

    def __contains__(self, guest: object) -> bool:
        return guest in self._silent or guest in self._heard

    @property
    def is_full(self) -> bool:
        """Whether somebody has to leave before one more may come in."""
        return len(self) >= self.most

    def longest_idle(self) -> G | None:
        """Return who leaves first, None when all are busy."""
        return next((guest for guest in self if guest.is_idle), None)

    def of_the_greedy(self, newcomer: G, whose: Callable[[G], object]) -> G | None:
        """Return who leaves for a newcomer where all are busy: the one heard longest ago of whoever has more than half.

        None where nobody has so many, or the newcomer is one of those.
        """
        owner, count = Counter(map(whose, self)).most_common(1)[0]
        if 2 * count <= len(self) or owner == whose(newcomer):
            return None
        return next(guest for guest in self if whose(guest) == owner)

    def largest(self, most: int) -> G | None:
        """Return who holds most, where all together hold more than this."""
        if sum(guest.held for guest in self) <= most:
            return None
        return max(self, key=lambda guest: guest.held)

    def add(self, guest: G) -> None:
        """Let one in."""
        self._silent[guest] = None

    def heard(self, guest: G) -> None:
        """Take note that it has just said something."""
        if guest in self:
            self._silent.pop(guest, None)
            self._heard.pop(guest, None)
            self._heard[guest] = None

    def remove(self, guest: G) -> None:
        """Forget one that is gone."""
        self._silent.pop(guest, None)
        self._heard.pop(guest, None)
