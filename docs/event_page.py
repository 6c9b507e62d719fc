"""The page of all events."""

from __future__ import annotations

from tables import table

from descartes_core.events import NOT_TOLD, TOLD, Kind

_HEAD = (
    "# Events\n\n"
    "Everything that is told of a session, made from `descartes_core/events.py`; how to listen is in "
    "[protocol.md](protocol.md#events). What is told is on disk already. "
    "Ignore types and keys you do not know: there will be more.\n\n"
)
_STATES = (
    "\n`status` and `was` are states of [its life](lifecycle.md), `cause` what moved it. "
    "What looks like a secret in `command` and `evidence` is hidden.\n"
)
_NOT_TOLD = "\n## What is not told\n\nWords of the original for which nothing is told, and why.\n\n"


def event_reference() -> str:
    """Return the page."""
    told = [(kind.type, f"`{kind.event_type}`", kind.when, _data(kind)) for kind in TOLD]
    untold = [(kind.type, f"`{kind.event_type}`", kind.when) for kind in NOT_TOLD]
    return (
        _HEAD
        + table(("type", "event_type", "told when", "data"), told)
        + _STATES
        + _NOT_TOLD
        + table(("type", "event_type", "why not"), untold)
    )


def _data(kind: Kind) -> str:
    return ", ".join(f"`{key}`" for key in kind.data)
