"""Which events a hook wants, by words as `agent.completed`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from descartes_core.errors import InvalidParams
from descartes_core.events import CATEGORIES, TOLD

ALL = "*"


def word_of(event: Mapping[str, Any]) -> str:
    """Return what an event is called here: its category and its event_type."""
    return f"{CATEGORIES.get(event['type'], '?')}.{event['event_type']}"


def checked(patterns: Sequence[str]) -> list[str]:
    """Return the words as they are kept: a category alone means all of it.

    Raises:
        InvalidParams: nothing is ever told that fits one; the message says what is.

    """
    return [_checked(pattern) for pattern in patterns]


def _checked(pattern: str) -> str:
    category, _, kind = pattern.partition(".")
    if pattern == ALL:
        return ALL
    if category not in CATEGORIES.values():
        raise InvalidParams(f"{pattern!r} fits no event: it begins with one of {', '.join(CATEGORIES.values())}")
    if kind in ("", ALL):
        return f"{category}.{ALL}"
    known = sorted(one.event_type for one in TOLD if CATEGORIES[one.type] == category)
    if kind not in known:
        raise InvalidParams(f"{pattern!r} fits no event: of {category} there are {', '.join(known) or 'none'}")
    return pattern


def wants(event: Mapping[str, Any], patterns: Collection[str], agent_ids: Collection[str]) -> bool:
    """Say whether an event is for a hook; without patterns all are, without ids those of all agents and of none."""
    if agent_ids and event["agent_id"] not in agent_ids:
        return False
    if not patterns or ALL in patterns:
        return True
    word = word_of(event)
    return word in patterns or f"{word.partition('.')[0]}.{ALL}" in patterns
