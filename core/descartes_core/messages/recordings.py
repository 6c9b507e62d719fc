"""Messages about recordings: those that come from elsewhere, and what was typed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from descartes_core.messages.agents import AgentInfo
from descartes_core.messages.common import AgentName, Change, Model, Uuid


class ImportRecording(Change):
    """Make an agent of a recording (asciicast v1, v2, v3): one that has ended, with its output, times and sizes."""

    #: A file on the daemon's machine; or …
    path: Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=r"^/[^\x00]*$")] | None = None
    #: … the recording itself.
    data: Annotated[str, StringConstraints(min_length=1)] | None = None
    #: Default: its title, else the file's name.
    name: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    #: Made by the caller; default: a new one.
    agent_id: Uuid | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ImportRecording:
        if (self.path is None) == (self.data is None):
            raise ValueError("either path or data is needed")
        return self


class RecordingImported(Model):
    """The agent that was made of a recording."""

    agent: AgentInfo
    #: Events that it had, and how many of which kind were left out (`markers`, `others`).
    events: int
    left_out: dict[str, int]
    #: When it was recorded, as far as it says so.
    recorded_at: str


class ReadInput(Model):
    """Read what was typed into an agent, oldest first; what, only where `terminals.keep_input` was set then."""

    agent_id: AgentName
    #: The `seq` after which to begin.
    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000


class TypedInput(Model):
    """What one client typed in one go."""

    seq: int
    at: str
    client: str
    length: int
    #: base64; null where it was not kept.
    data: str | None


class InputPage(Model):
    """A page of it."""

    inputs: list[TypedInput]
    #: `after` of the next page; null: there is none.
    next: int | None
