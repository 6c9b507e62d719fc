"""Messages about a session."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from descartes_core.messages.common import Change, Model


class SessionInfo(Model):
    """A session as its daemon sees it."""

    id: str
    name: str
    path: str
    status: str
    pid: int
    http_endpoint: str
    ws_endpoint: str
    started_at: str
    instance_id: str
    version: str
    #: How many agents are alive.
    agents: int
    #: What a person should know, e.g. that the workspace could not be locked.
    notices: list[str]


class SessionReply(Model):
    """The session of one daemon."""

    session: SessionInfo


class RenameSession(Change):
    """Give this session another name."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Collect(Change):
    """Remove what the retention policy says: output of agents that ended long ago, and old events."""

    #: Days since the agent's end, instead of the configured ones.
    older_than: Annotated[float, Field(ge=0, le=36_500)] | None = None
    #: Days since the event, instead of the configured ones.
    events_older_than: Annotated[float, Field(ge=0, le=36_500)] | None = None
    #: Days since the agent's end after which its output is compressed, instead of the configured ones.
    compress_older_than: Annotated[float, Field(ge=0, le=36_500)] | None = None
    #: Only tell what would be removed.
    dry_run: bool = False


class Collected(Model):
    """One agent whose output was, or would be, removed; its history stays."""

    agent_id: str
    name: str
    ended_at: str | None
    #: What it takes on disk.
    bytes: int


class Compressed(Model):
    """One agent whose output was, or would be, compressed; it is read as before."""

    agent_id: str
    name: str
    ended_at: str | None
    #: What it took on disk, and takes now; null where it was only asked for.
    bytes: int
    compressed_bytes: int | None


class CollectReply(Model):
    """What was, or would be, removed."""

    agents: list[Collected]
    bytes: int
    events: int
    compressed: list[Compressed]
    #: What could not be removed now, and why, e.g. a log that somebody reads.
    kept: list[str]
