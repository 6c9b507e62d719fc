"""An agent, as the store has it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from descartes_core.agent_life import State
from descartes_core.limits import Limits


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
    #: When it came to this state; None where it still begins.
    moved_at: float | None = None
    #: Without a terminal its stdout and stderr are two files.
    tty: bool = True
    #: What lies before these offsets was dropped, of stdout (or the terminal) and of stderr.
    output_from: int = 0
    errors_from: int = 0
    #: When its output was removed as old.
    collected_at: float | None = None
    #: What its stop asked for instead of its own grace (seconds).
    stop_grace: float | None = None
    #: What it may take; None where nobody said.
    limits: Limits | None = None
    #: Who holds it within that (limits.LimitedBy).
    limited_by: str | None = None
    #: The directory of its cgroup, within one boot.
    cgroup: str | None = None
    #: Which limit ended it, in words.
    ended_by: str | None = None
    #: What it has taken, as far as it was counted.
    usage: dict[str, Any] | None = None
    #: The runner it runs on, by its name on the bus, and the key that runner had then; None: here.
    host: str | None = None
    host_key: str | None = None
    #: For whom it runs here, by its name on the bus; None: for this session.
    owner: str | None = None
    #: The task it was started for, as "phase:id"; None: none.
    task: str | None = None

    @property
    def carried(self) -> dict[str, str]:
        """What its events tell of its task, where it has one."""
        return {} if self.task is None else {"task": self.task}

    def as_params(self) -> dict[str, Any]:
        """Return it as SQL takes it."""
        plain = {"state": str(self.state), "command": json.dumps(self.command)}
        limits = None if self.limits is None else json.dumps(self.limits.as_json())
        usage = None if self.usage is None else json.dumps(self.usage)
        flags = {"leave": int(self.leave), "tty": int(self.tty)}
        return asdict(self) | plain | flags | {"limits": limits, "usage": usage}

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> AgentRow:
        """Return it as SQL gave it."""
        found = dict(row)
        command = tuple(json.loads(found["command"]))
        flags = {"leave": bool(found["leave"]), "tty": bool(found["tty"])}
        limits = Limits.from_json(_read(found["limits"]))
        read = {"state": State(found["state"]), "command": command, "limits": limits, "usage": _read(found["usage"])}
        return cls(**found | flags | read)


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)
