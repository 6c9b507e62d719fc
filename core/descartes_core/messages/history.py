"""Messages about how agents, and what they keep under keys, came to where they are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from descartes_core.messages.common import AgentName, Model

Time = Annotated[str, StringConstraints(max_length=40)]


class ReadTransitions(Model):
    """Read how agents moved, or how their keys changed: when, why, and what was seen."""

    #: Null: of all.
    agent_id: AgentName | None = None
    #: Lives of agents, or what they keep under keys.
    of: Literal["agents", "keys"] = "agents"
    #: Of keys: of this one alone.
    key: Annotated[str, StringConstraints(max_length=200)] | None = None
    #: From this moment on, and before that one (RFC 3339).
    since: Time | None = None
    until: Time | None = None
    #: A cause of an agent's life (`ended_badly`); of keys `set`, `deleted`, `restored`, `imported`.
    cause: Annotated[str, StringConstraints(max_length=50)] | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    #: The `seq` of the last one already known.
    after: Annotated[int, Field(ge=0, le=2**53)] = 0
    #: Where there are more than `limit`: the newest of them, not the oldest.
    newest: bool = False


class Transition(Model):
    """One move, or one change of a key."""

    #: Grows, of lives and of keys each; `after` takes it.
    seq: int
    at: str
    #: Null for what was done to the whole session.
    agent_id: str | None
    #: States of its life; of a key `version N`, or `absent`.
    was: str
    became: str
    cause: str
    #: What was seen: an exit code, a signal, who asked, which limit was hit.
    evidence: str | None
    request_id: str | None
    #: Of keys alone.
    key: str | None = None
    version: int | None = None


class Transitions(Model):
    """Transitions in order, oldest first."""

    transitions: list[Transition]
    #: What `after` is to be for those that follow; null: that was all.
    next: int | None
