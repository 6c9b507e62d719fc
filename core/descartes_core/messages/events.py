"""Messages about what happened."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from descartes_core.messages.common import Model, Moment, Wait

Id = Annotated[str, StringConstraints(max_length=100)]
Ids = Annotated[list[Id], Field(max_length=1000)]


class EventFilter(Model):
    """Which events: categories and ids must both fit, an empty list fits all."""

    #: Ids; other categories than agent are not touched by it.
    agent_ids: Ids = []
    #: Likewise for task and workflow.
    task_ids: Ids = []
    workflow_ids: Ids = []
    #: Empty: all.
    event_categories: list[Literal["agent", "task", "workflow", "system", "state"]] = []


class ListEvents(Model):
    """Read events after a cursor."""

    #: The seq of the last event already known.
    since: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    filter: EventFilter = EventFilter()
    #: Only what happened at this time or later …
    from_time: Moment | None = None
    #: … and before this one.
    to_time: Moment | None = None
    #: Wait this many seconds for the first one.
    wait: Wait = 0.0


class Event(Model):
    """Something that happened."""

    #: Grows by one, per session, without holes.
    seq: int
    id: str
    timestamp: str
    type: Literal["AgentEvent", "TaskEvent", "SystemEvent", "StateEvent"]
    event_type: str
    agent_id: str | None
    data: dict[str, Any]


class EventList(Model):
    """Events in order."""

    events: list[Event]
    #: The first seq after `since` that is still kept, where some before it are gone; else null.
    gap_until: int | None = None
    #: The cursor to go on from (past events the filter left out).
    next_since: int
    #: The newest seq there is.
    last_seq: int
