"""One agent, as this daemon holds it: its row, its body, its logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from descartes_core import agent_life, kept
from descartes_core.errors import NotHere
from descartes_core.ids import short
from descartes_core.redaction import redact
from descartes_core.times import written, written_or_none
from descartes_core.usage import Usage
from descartes_daemon.agent_row import AgentRow
from descartes_daemon.body import Body
from descartes_daemon.listed import HOST
from descartes_daemon.output_log import OutputLog
from descartes_local.cgroup2 import Cgroup
from descartes_local.processes import Process
from descartes_local.tree import find_tree, kill_tree


@dataclass(slots=True, eq=False)
class Agent:
    """A row with what belongs to it in memory; rows of ended agents have neither body nor tree."""

    row: AgentRow
    session_id: str
    #: What its terminal got, or its stdout.
    log: OutputLog
    #: Its stderr, where it has no terminal.
    errors: OutputLog | None = None
    body: Body | None = None
    process: Process | None = None
    #: Its process, until its ending is stored and reaped; whoever waits for that closes it.
    pidfd: int | None = None
    #: What is kept of it and not used here: its log cannot be opened now, by a later daemon perhaps.
    unused: dict[str, int] = field(default_factory=dict)
    #: Whether its row is in the store.
    is_stored: bool = True
    #: Whether it is a child of this very daemon: then it is we who reap it.
    is_child: bool = False
    #: Whether its descriptors are in keeping.
    is_in_keeping: bool = False
    #: What else was seen to belong to its tree.
    rest: set[Process] = field(default_factory=set)
    #: The control group that its program begins in, and all that comes of it.
    cgroup: Cgroup | None = None
    #: What it had taken when somebody last looked.
    usage: Usage | None = None
    #: Which limit was hit, from the moment that is known.
    over: str | None = None
    #: When what is left of it is killed (monotonic), once it was asked to end.
    kill_at: float | None = None
    grace_timer: asyncio.TimerHandle | None = None
    #: Whether its start is settled, one way or the other.
    launched: asyncio.Event = field(default_factory=asyncio.Event)
    #: Whether its final state is stored.
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    #: Whether nothing of its tree is left (but what it was told to leave).
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    #: Nothing of it is open any more, nor in keeping.
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    #: Held while a move is decided and stored: two at once would be decided from the same state.
    moving: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Held while its tree is paused or continued: the second of two must not overtake the first.
    acting: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: What its last move asked for, on the way.
    acts: asyncio.Task[None] | None = None
    #: Who types: one connection at a time.
    pen: object | None = None
    pen_holder: str | None = None
    #: Told in JSON frames what is not output: another size, another holder of the pen.
    listeners: set[Callable[[dict[str, Any]], None]] = field(default_factory=set)
    #: What lists show of the row it was made from: listed again and again, a row rarely changes.
    shown: tuple[AgentRow, dict[str, Any]] | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return self.row.id

    @property
    def called(self) -> str:
        """How people are told of it."""
        return f"{self.row.name} ({short(self.row.id)})"

    @property
    def is_alive(self) -> bool:
        """Whether its life goes on."""
        return self.row.state in agent_life.ALIVE

    @property
    def is_kept(self) -> bool:
        """Whether it goes on without this daemon: what it needs is in keeping, or it runs elsewhere."""
        return self.is_in_keeping or self.row.host is not None

    @property
    def marks_file(self) -> Path:
        """What its start helper writes."""
        return self.log.directory / "exec"

    @property
    def logs(self) -> tuple[OutputLog, ...]:
        """All that it says: one log of a terminal, else stdout and stderr."""
        return (self.log,) if self.errors is None else (self.log, self.errors)

    def stream(self, name: str) -> OutputLog:
        """Return one of its logs, by the name of the stream.

        Raises:
            NotHere: a terminal is one stream.

        """
        if name == "stdout":
            return self.log
        if self.errors is None:
            raise NotHere(f"agent {self.called} has a terminal, which is one stream: its stderr is in its stdout")
        return self.errors

    def tell(self, value: dict[str, Any]) -> None:
        """Tell everybody who is attached."""
        for listener in tuple(self.listeners):
            listener(value)

    def find_tree(self) -> set[Process]:
        """Walk over all processes and return those of its tree."""
        roots = self.rest | ({self.process} if self.process else set())
        members = tuple if self.cgroup is None else self.cgroup.pids
        return find_tree(roots, ("DESCARTES_AGENT_ID", self.id), members)

    def pids(self) -> list[int]:
        """Return the pids of its tree; quickly, where it is in its control group."""
        in_group = [] if self.cgroup is None else self.cgroup.pids()
        return in_group or [process.pid for process in self.find_tree()]

    def kill_tree(self) -> set[Process]:
        """Kill all of its tree: its control group at once, and what has left it, or was never in one."""
        if self.cgroup is not None:
            self.cgroup.kill()
        return kill_tree(self.find_tree)

    @property
    def parts(self) -> dict[str, int]:
        """What is to be in keeping of it now, by part: nothing where its terminal is lost."""
        held = self.unused if self.body is None else self.body.parts
        return held if self.pidfd is None or (self.body is None and not held) else {**held, kept.PIDFD: self.pidfd}

    @property
    def notice(self) -> str | None:
        """What a person should know."""
        if self.body is None:
            return "its terminal is lost" if self.is_alive and self.launched.is_set() else None
        if (notice := self.body.notice(drops_when_full=self.log.drops_when_full)) is not None:
            return notice
        if self.is_alive and not self.is_kept:
            return "not in keeping: ends with its daemon"
        return None

    def info(self) -> dict[str, Any]:
        """Return it as every list shows it (methods.AgentInfo)."""
        if self.shown is None or self.shown[0] is not self.row:
            self.shown = self.row, self._info_of_row()
        info = self.shown[1].copy()
        info["output_bytes"] = self.log.size if self.errors is None else self.log.size + self.errors.size
        info["notice"] = self.notice
        return info

    def _info_of_row(self) -> dict[str, Any]:
        row = self.row
        return {
            "id": row.id,
            "name": row.name,
            "status": row.state.value,
            "session_id": self.session_id,
            "host": row.host or HOST,
            "pid": row.pid,
            "command": redact(row.command),
            "cwd": row.cwd,
            "started_at": written_or_none(row.started_at),
            "ended_at": written_or_none(row.ended_at),
            "exit_code": row.exit_code,
            "signal": row.signal,
            "output_bytes": 0,
            "tty": row.tty,
            "notice": None,
            "limits": None if row.limits is None else row.limits.as_json(),
            "limited_by": row.limited_by,
            "ended_by": row.ended_by,
            "owner": row.owner,
            "task": row.task,
        }

    def detail(self) -> dict[str, Any]:
        """Return everything that is known of it (methods.AgentDetail)."""
        row = self.row
        return {
            **self.info(),
            "cause": row.cause,
            "evidence": row.evidence,
            "rows": row.rows,
            "cols": row.cols,
            "grace": row.grace,
            "stop_signal": row.stop_signal,
            "leave": row.leave,
            "created_at": written(row.created_at),
            "log_path": str(self.log.path),
            "errors_path": None if self.errors is None else str(self.errors.path),
            "output_from": row.output_from,
            "errors_from": row.errors_from,
            "recording": self.recording,
        }

    @property
    def recording(self) -> str:
        """How its output is taken: splice, copy, file (it writes itself), or none any more."""
        return self.body.way if self.body else "none"
