"""What all messages are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from descartes_core import times

#: The largest message at any door.
LARGEST_MESSAGE = 10 * 1024 * 1024
#: The most output bytes one reply carries (base64 makes a third more of it).
LARGEST_PIECE = 1024 * 1024
#: The longest a call may follow something (seconds); clients ask again.
LONGEST_WAIT = 300.0

RequestId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
#: An id, a unique prefix of one, or a name.
AgentName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Uuid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Rows = Annotated[int, Field(ge=1, le=1000)]
Wait = Annotated[float, Field(ge=0, le=LONGEST_WAIT)]
Grace = Annotated[float, Field(ge=0, le=3600)]
Argument = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=131_071)]


def _moment(text: str) -> str:
    try:
        return times.written(times.read(text))
    except (ValueError, OverflowError) as error:
        raise ValueError("it is no RFC 3339 time like 2026-11-22T08:00:00Z") from error


#: RFC 3339; here as every door writes it, so that two compare as texts.
Moment = Annotated[str, StringConstraints(max_length=40), AfterValidator(_moment)]


class Model(BaseModel):
    """What crosses a door: strict, and nothing unknown."""

    # Built when it is first used: most replies never are, and a daemon's start pays for none.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Nothing(Model):
    """A reply that says only that it was done, or a request that says nothing."""


class Change(Model):
    """A request that changes something."""

    #: Made by the caller: a repeat with the same id gets the first answer again (24 h) and is not done twice.
    request_id: RequestId | None = None


class OneAgent(Model):
    """Name one agent."""

    agent_id: AgentName


class ChangeAgent(Change):
    """Change one agent."""

    agent_id: AgentName
