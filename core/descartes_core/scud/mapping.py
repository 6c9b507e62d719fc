"""SCUD's words for status and complexity, and those of Descartes' own tasks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OWN_STATUSES = ("todo", "in_progress", "done", "blocked")
OWN_COMPLEXITIES = ("trivial", "simple", "moderate", "complex", "epic")
PRIORITIES = ("low", "medium", "high", "critical")
#: `failed` came to SCUD later than the original's mapping: like `blocked`, somebody has to look at it.
_TO_OWN: Mapping[str, str] = MappingProxyType(
    {
        "pending": "todo",
        "in-progress": "in_progress",
        "done": "done",
        "blocked": "blocked",
        "expanded": "done",
        "review": "in_progress",
        "deferred": "blocked",
        "cancelled": "done",
        "failed": "blocked",
    }
)
_FROM_OWN: Mapping[str, str] = MappingProxyType(
    {"todo": "pending", "in_progress": "in-progress", "done": "done", "blocked": "blocked"}
)
_POINTS: Mapping[str, int] = MappingProxyType({"trivial": 1, "simple": 2, "moderate": 5, "complex": 13, "epic": 21})


def own_status(status: str) -> str:
    """Return the own word for one of SCUD's; several of SCUD's become one."""
    return _TO_OWN[status]


def scud_status(status: str) -> str:
    """Return SCUD's word for an own one; SCUD's own words, and either way of writing them, stay."""
    word = _FROM_OWN.get(status, status)
    return word.replace("_", "-") if word.replace("_", "-") in _TO_OWN else word


def own_complexity(points: int) -> str:
    """Return the own word for points."""
    for most, word in ((1, "trivial"), (3, "simple"), (8, "moderate"), (13, "complex")):
        if points <= most:
            return word
    return "epic"


def points(complexity: str) -> int:
    """Return SCUD's points for an own word."""
    return _POINTS[complexity]
