"""What the store gives back, besides agents and events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request that was accepted before, and what was answered, if it was."""

    method: str
    reply: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Transition:
    """One move of an agent, as it happened."""

    id: int
    agent: str
    was: str
    became: str
    cause: str
    evidence: str | None
    at: float
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Remain:
    """A process that an ended agent left behind."""

    agent: str
    pid: int
    started: int
    kill_at: float | None
