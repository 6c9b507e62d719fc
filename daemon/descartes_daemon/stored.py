"""What the store gives back, besides agents and events."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from descartes_core.agent_life import FINAL, State


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


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """What one agent said, as the store knows of it."""

    agent_id: str
    name: str
    state: State
    ended_at: float | None
    tty: bool
    #: What lies before was given up, by stream.
    begins: dict[str, int]
    collected_at: float | None

    @property
    def is_over(self) -> bool:
        """Whether its agent has ended."""
        return self.state in FINAL

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> StoredOutput:
        """Return it as SQL gave it."""
        begins = {"stdout": row["output_from"]} | ({} if row["tty"] else {"stderr": row["errors_from"]})
        tty, state = bool(row["tty"]), State(row["state"])
        return cls(row["id"], row["name"], state, row["ended_at"], tty, begins, row["collected_at"])
