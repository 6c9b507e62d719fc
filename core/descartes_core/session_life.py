"""The life of a session: one table is the truth.

Whoever holds the session's lock writes the state into session.json: the daemon while it lives, else the supervisor,
which feeds in what becomes of daemons, or, for a moment, the command that archives or unarchives. Backoff and the
number of tries are fields of the supervisor's record, not states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from descartes_core.errors import IllegalTransition


class State(StrEnum):
    """Where a session is in its life; written to session.json by these names."""

    INACTIVE = "Inactive"
    STARTING = "Starting"
    ACTIVE = "Active"
    STOPPING = "Stopping"
    ARCHIVED = "Archived"
    ERROR = "Error"


class Cause(StrEnum):
    """What happened to a session."""

    START_ASKED = "start_asked"
    ARCHIVE_ASKED = "archive_asked"
    UNARCHIVE_ASKED = "unarchive_asked"
    READY = "ready"  # the daemon said READY=1
    HANDED_OVER = "handed_over"  # a daemon that outlived its supervisor told the next one of itself
    NEVER_GAVE = "never_gave"  # such a daemon stands still before it has given all; it begins anew when it goes on
    ENDED = "ended"  # the daemon's process ended
    GAVE_UP = "gave_up"  # it died too often
    DEADLINE_OVER = "deadline_over"  # it was not ready in time
    STOP_ASKED = "stop_asked"
    GRACE_OVER = "grace_over"
    WOULD_NOT_END = "would_not_end"


class Effect(StrEnum):
    """What the supervisor must do after a move."""

    START = "start"  # start the daemon now
    START_LATER = "start_later"  # start it again after the backoff
    ASK_TO_END = "ask_to_end"  # TERM, and arm the grace
    KILL = "kill"
    LET_GO = "let_go"  # end what is kept, close it, release the lock
    TELL = "tell"  # answer those who wait


@dataclass(frozen=True, slots=True)
class Move:
    """Where a cause leads and what it asks for."""

    to: State
    effects: tuple[Effect, ...] = ()


TABLE: Mapping[tuple[State, Cause], Move] = MappingProxyType(
    {
        (State.INACTIVE, Cause.START_ASKED): Move(State.STARTING, (Effect.START,)),
        (State.INACTIVE, Cause.ARCHIVE_ASKED): Move(State.ARCHIVED),
        (State.INACTIVE, Cause.HANDED_OVER): Move(State.ACTIVE),
        (State.STARTING, Cause.READY): Move(State.ACTIVE, (Effect.TELL,)),
        (State.STARTING, Cause.ENDED): Move(State.STARTING, (Effect.START_LATER,)),
        (State.STARTING, Cause.GAVE_UP): Move(State.ERROR, (Effect.TELL,)),
        (State.STARTING, Cause.DEADLINE_OVER): Move(State.ERROR, (Effect.KILL, Effect.TELL)),
        (State.STARTING, Cause.STOP_ASKED): Move(State.STOPPING, (Effect.ASK_TO_END,)),
        (State.ACTIVE, Cause.STOP_ASKED): Move(State.STOPPING, (Effect.ASK_TO_END,)),
        (State.ACTIVE, Cause.ENDED): Move(State.STARTING, (Effect.START_LATER,)),
        (State.ACTIVE, Cause.NEVER_GAVE): Move(State.INACTIVE),
        (State.ACTIVE, Cause.GAVE_UP): Move(State.ERROR, (Effect.TELL,)),
        (State.STOPPING, Cause.ENDED): Move(State.INACTIVE, (Effect.LET_GO, Effect.TELL)),
        (State.STOPPING, Cause.GRACE_OVER): Move(State.STOPPING, (Effect.KILL,)),
        (State.STOPPING, Cause.WOULD_NOT_END): Move(State.ERROR, (Effect.TELL,)),
        (State.ERROR, Cause.START_ASKED): Move(State.STARTING, (Effect.START,)),
        (State.ERROR, Cause.HANDED_OVER): Move(State.ACTIVE),
        (State.ERROR, Cause.STOP_ASKED): Move(State.INACTIVE, (Effect.LET_GO, Effect.TELL)),
        (State.ERROR, Cause.ARCHIVE_ASKED): Move(State.ARCHIVED, (Effect.LET_GO,)),
        (State.ARCHIVED, Cause.UNARCHIVE_ASKED): Move(State.INACTIVE),
    }
)


def move(session: str, state: State, cause: Cause) -> Move:
    """Return where this cause leads and what it asks for.

    Raises:
        IllegalTransition: this cannot happen in this state; nothing has changed.

    """
    try:
        return TABLE[state, cause]
    except KeyError:
        raise IllegalTransition(f"session {session}", state, cause) from None
