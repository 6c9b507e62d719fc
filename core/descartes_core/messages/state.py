"""Messages about what agents keep under keys, and about snapshots of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from descartes_core.messages.common import AgentName, Change, ChangeAgent, Model, OneAgent

#: The longest value, as JSON without spaces.
LARGEST_VALUE = 1024 * 1024
#: The values on one page come to no more than this, and one.
LARGEST_PAGE = 4 * 1024 * 1024

Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Version = Annotated[int, Field(ge=0, le=2**53)]
#: An id, or the only one that begins so.
SnapshotName = Annotated[str, StringConstraints(min_length=4, max_length=100)]


class GetState(OneAgent):
    """Read what an agent keeps under a key."""

    key: Key
    #: As it was by this change, where its value is kept (the last 20, and those of snapshots); null: as it is.
    version: Annotated[int, Field(ge=1, le=2**53)] | None = None


class StateValue(Model):
    """What is kept under one key."""

    agent_id: str
    key: str
    #: Any JSON.
    value: Any
    #: Counts the changes of this key, also over its deletions.
    version: int
    updated_at: str


class SetState(ChangeAgent):
    """Keep a value for an agent under a key."""

    key: Key
    #: Any JSON, of 1 MiB at most.
    value: Any
    #: Refuse it (`conflict`) unless the key has this version, 0: is not there.
    expected_version: Version | None = None


class DeleteState(ChangeAgent):
    """Remove what an agent keeps under a key."""

    key: Key
    expected_version: Version | None = None


class StateChanged(Model):
    """A key has changed."""

    agent_id: str
    key: str
    version: int
    #: What the StateEvent was.
    event_type: Literal["created", "updated", "deleted"]


class Place(Model):
    """Where a page ended."""

    agent_id: Annotated[str, StringConstraints(max_length=200)]
    key: Annotated[str, StringConstraints(max_length=200)]


class QueryState(Model):
    """Read what agents keep: of one or all, under one key, or under all that begin so."""

    agent_id: AgentName | None = None
    key: Key | None = None
    prefix: Annotated[str, StringConstraints(max_length=200)] = ""
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    #: The `next` of the page before.
    after: Place | None = None


class StatePage(Model):
    """What is kept, in order of agents and keys."""

    state: list[StateValue]
    timestamp: str
    #: Where to go on; null: that was all.
    next: Place | None


class TakeSnapshot(Change):
    """Keep the session's state as it is now: what agents keep under keys, own tasks, and how the agents are."""

    description: Annotated[str, StringConstraints(max_length=1000)] | None = None
    #: Forget it after so many seconds; null: never.
    expires_in: Annotated[float, Field(gt=0, le=3_155_760_000, allow_inf_nan=False)] | None = None


class Snapshot(Model):
    """A session's state as it was."""

    id: str
    description: str | None
    at: str
    expires_at: str | None
    #: Who asked for it.
    evidence: str | None
    #: How many there are of each in it.
    keys: int
    tasks: int
    agents: int


class SnapshotReply(Model):
    """One snapshot."""

    snapshot: Snapshot


class ListSnapshots(Model):
    """List a session's snapshots, oldest first; or tell how the agents were in one."""

    snapshot_id: SnapshotName | None = None


class AgentThen(Model):
    """An agent as it was, or is."""

    id: str
    name: str
    status: str


class SnapshotList(Model):
    """Snapshots, oldest first."""

    snapshots: list[Snapshot]
    #: Of the one that was named: how its agents were; else null.
    agents: list[AgentThen] | None


class RestoreSnapshot(Change):
    """Put the keys of agents that have ended, and the session's own tasks, back to how they were."""

    snapshot_id: SnapshotName


class Restored(Model):
    """What a restore did."""

    snapshot_id: str
    #: The agents whose keys are now as they were.
    agents: list[str]
    #: The changes that took.
    keys_set: int
    keys_deleted: int
    #: Own tasks that were put back, and that were removed.
    tasks_restored: int
    tasks_deleted: int
    #: They live: nothing of theirs was touched.
    living: list[AgentThen]


class ForgetSnapshot(Change):
    """Remove a snapshot."""

    snapshot_id: SnapshotName
