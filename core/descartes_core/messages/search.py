"""Messages about what is found again."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from descartes_core.messages.common import AgentName, Change, Model

Kind = Literal["output", "input", "event", "task", "transcript"]


class Query(Model):
    """Find words again in what agents said, in events, tasks and transcripts."""

    #: Words that all must be there; "in quotes" as they stand, beginning*, this OR that, -not.
    query: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    #: Only in these; empty: all.
    kinds: Annotated[list[Kind], Field(max_length=5)] = []
    #: Only of this agent, or of this task (`tag:id`).
    agent_id: AgentName | None = None
    task_id: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    #: Only what came since (RFC 3339).
    since: Annotated[str, StringConstraints(max_length=40)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 20
    #: Passages that are like it, too, whether they have the words or not; needs the extra `semantic`.
    semantic: bool = False
    #: Wait so many seconds at most until what was said just now can be found, too.
    wait: Annotated[float, Field(ge=0, le=30)] = 1.0


class Result(Model):
    """A passage that fits: some 4 KB of output, or one event; and the line in it that fits best."""

    kind: Kind
    session_id: str
    #: Whom it is about; null where it is about nobody.
    agent_id: str | None
    agent: str | None
    #: Of output; `logs --from` takes the offset.
    stream: Literal["stdout", "stderr"] | None
    #: Of output the byte where the line begins, of an event its seq, else a place in the source.
    offset: int
    #: When it came.
    at: str
    #: The line, or its part around what was found; without secrets.
    snippet: str
    #: BM25, or of `semantic` both orders in one, at most 1: comparable within one reply.
    score: float


class QueryReply(Model):
    """What was found, the best first."""

    results: list[Result]
    #: Whether all that fit were looked at; else the best of the newest are told, and older ones may be there.
    complete: bool
    #: Bytes of output (an event counts one) that are not in the index yet.
    behind: int
    #: Of `semantic`: passages that could not be compared, since their vectors are not made yet.
    missing: int


class SearchStatus(Model):
    """What can be found."""

    enabled: bool
    #: Passages in the index, what it takes on the disk, and how many were dropped to keep within `search.max_bytes`.
    passages: int
    bytes: int
    dropped: int
    #: When the oldest of them came.
    oldest: str | None
    behind: int
    #: What makes vectors (`semantic.embedder`), once somebody has searched with `semantic`.
    embedder: str | None
    #: Vectors that are mapped into memory, and that are read from the index; passages without one.
    hot: int
    warm: int
    missing: int
    #: Bytes of what agents said long ago, which is compressed, and searched all the same.
    cold: int
    #: Whether the index is being written now, and what went wrong last.
    running: bool
    trouble: str | None


class RebuildSearch(Change):
    """Remove the index, and make it anew of what is there."""
