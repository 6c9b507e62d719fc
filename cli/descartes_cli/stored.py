"""Agents of a session whose daemon is not there, read-only from its store."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

from descartes_core.agent_life import FINAL, State
from descartes_core.redaction import redact
from descartes_core.times import written_or_none
from descartes_local.home import Home
from descartes_local.processes import Process, boot_id, is_alive

_AGENTS = (
    "SELECT id, name, state, command, cwd, pid, started_at, ended_at, exit_code, signal, process_started, boot_id"
    " FROM agents ORDER BY created_at"
)


def stored_sessions(home: Home) -> list[str]:
    """Return the ids of all sessions that have a store."""
    try:
        return sorted(path.parent.name for path in (home.path / "sessions").glob("*/state.db"))
    except OSError:
        return []


def stored_agents(home: Home, session_id: str, *, ended: bool) -> list[dict[str, Any]]:
    """Return the agents as `agent.list` would; none where the store cannot be read."""
    import sqlite3  # paid only where a daemon does not answer

    directory = home.session(session_id)
    database = f"file:{quote(str(directory / 'state.db'))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(database, uri=True, timeout=1.0)) as store:
            rows = store.execute(_AGENTS).fetchall()
    except sqlite3.Error:
        return []
    return [_agent(directory, session_id, row) for row in rows if ended or row[2] not in FINAL]


def _agent(directory: Path, session_id: str, row: tuple[Any, ...]) -> dict[str, Any]:
    identity, name, state, command, cwd, pid, started_at, ended_at, code, signal, process_started, boot = row
    if state not in FINAL and pid is not None and not (boot == boot_id() and is_alive(Process(pid, process_started))):
        state = State.LOST.value  # how it ended is known when its daemon is back
    try:
        size = (directory / "agents" / identity / "output.log").stat().st_size
    except OSError:
        size = 0
    return {
        "id": identity,
        "name": name,
        "status": state,
        "session_id": session_id,
        "host": socket.gethostname(),
        "pid": pid,
        "command": redact(json.loads(command)),
        "cwd": cwd,
        "started_at": written_or_none(started_at),
        "ended_at": written_or_none(ended_at),
        "exit_code": code,
        "signal": signal,
        "output_bytes": size,
        "tty": True,
        "notice": None,
    }
