"""What an agent's tree has taken, and who counted it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

#: The kernel for the agent's control group: all that was ever in it. /proc: those that are there, and those they have
#: waited for. Rusage: its own process once that has ended, and those it has waited for.
Source = Literal["cgroup", "rusage", "proc"]

#: Each figure that only grows, and who says it.
_GROWING = {
    "cpu_seconds": "cpu_source",
    "memory_peak_bytes": "memory_source",
    "read_bytes": "io_source",
    "written_bytes": "io_source",
}


@dataclass(frozen=True, slots=True)
class Usage:
    """One look at a tree; what is None nobody could count."""

    #: Of all processors together.
    cpu_seconds: float | None = None
    #: Now; None for one that has ended.
    memory_bytes: int | None = None
    #: The most that there was, as far as somebody looked.
    memory_peak_bytes: int | None = None
    #: Now; None for one that has ended.
    processes: int | None = None
    #: From storage and to storage: not what was in the cache, and not pipes, terminals and sockets.
    read_bytes: int | None = None
    written_bytes: int | None = None
    cpu_source: Source | None = None
    memory_source: Source | None = None
    io_source: Source | None = None

    def at_least(self, other: Usage | None) -> Usage:
        """Return this look, with what another one saw more of, and who that was."""
        changes: dict[str, Any] = {}
        for figure, source in _GROWING.items() if other is not None else ():
            mine, theirs = getattr(self, figure), getattr(other, figure)
            if theirs is not None and (mine is None or theirs > mine):
                changes |= {figure: theirs, source: getattr(other, source)}
        return replace(self, **changes)

    @property
    def at_end(self) -> Usage:
        """What stays true of it when nobody of the tree is left."""
        return replace(self, memory_bytes=None, processes=None)

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None) -> Usage | None:
        """Return a stored one; None where there is none. What a newer version knows besides is left out."""
        if found is None:
            return None
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in found.items() if key in known})


def total(looks: Iterable[Usage]) -> dict[str, Any]:
    """Return the sums of several looks; what nobody could count is nothing."""
    found = list(looks)
    figures = ("cpu_seconds", "memory_bytes", "processes", "read_bytes", "written_bytes")
    return {name: sum(getattr(look, name) or 0 for look in found) for name in figures}
