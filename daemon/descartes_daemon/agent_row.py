"""An agent, as the store has it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from descartes_core.agent_life import State


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One row of the agents' table; what is None has not happened, or is not known."""

    id: str
    name: str
    command: tuple[str, ...]
    cwd: str
    rows: int
    cols: int
    #: Seconds between the stop signal and KILL.
    grace: float
    #: A name with SIG.
    stop_signal: str
    leave: bool
    umask: int
    created_at: float
    state: State = State.INITIALIZING
    pid: int | None = None
    process_started: int | None = None
    #: A start time counts from a boot: it means nothing within another.
    boot_id: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    exit_code: int | None = None
    signal: str | None = None
    #: The last cause that moved it, and what was seen.
    cause: str | None = None
    evidence: str | None = None
    #: The number of the transition that led to this state.
    moved: int | None = None
    #: Without a terminal its stdout and stderr are two files.
    tty: bool = True
    #: What lies before these offsets was dropped, of stdout (or the terminal) and of stderr.
    output_from: int = 0
    errors_from: int = 0
    #: When its output was removed as old.
    collected_at: float | None = None
    #: What its stop asked for instead of its own grace (seconds).
    stop_grace: float | None = None

    def as_params(self) -> dict[str, Any]:
        """Return it as SQL takes it."""
        plain = {"state": str(self.state), "command": json.dumps(self.command)}
        return asdict(self) | plain | {"leave": int(self.leave), "tty": int(self.tty)}

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> AgentRow:
        """Return it as SQL gave it."""
        found = dict(row)
        command = tuple(json.loads(found["command"]))
        flags = {"leave": bool(found["leave"]), "tty": bool(found["tty"])}
        return cls(**found | flags | {"state": State(found["state"]), "command": command})
