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

#: A store may be older than this: it has the columns it has.
_AGENTS = "SELECT * FROM agents ORDER BY created_at"


def stored_sessions(home: Home) -> list[str]:
    """Return the ids of all sessions that have a store."""
    try:
        found = (path.parent for path in (home.path / "sessions").glob("*/state.db"))
        return sorted(data.name for data in found if not (data / "import.json").exists())  # it is none yet
    except OSError:
        return []


def stored_agents(home: Home, session_id: str, *, ended: bool) -> list[dict[str, Any]]:
    """Return the agents as `agent.list` would; none where the store cannot be read."""
    import sqlite3  # paid only where a daemon does not answer

    directory = home.session(session_id)
    database = f"file:{quote(str(directory / 'state.db'))}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(database, uri=True, timeout=1.0)) as store:
            store.row_factory = sqlite3.Row
            rows = [dict(row) for row in store.execute(_AGENTS)]
    except sqlite3.Error:
        return []
    return [_agent(directory, session_id, row) for row in rows if ended or row["state"] not in FINAL]


def _agent(directory: Path, session_id: str, row: dict[str, Any]) -> dict[str, Any]:
    state, pid, host = row["state"], row["pid"], row.get("host")
    is_ours = row["boot_id"] == boot_id()
    if (
        state not in FINAL
        and pid is not None
        and host is None
        and not (is_ours and is_alive(Process(pid, row["process_started"])))
    ):
        state = State.LOST.value  # how it ended is known when its daemon is back
    tty = bool(row.get("tty", True))
    logs = directory / "agents" / row["id"]
    size = _size(logs / "output.log", row.get("output_from", 0))
    if not tty:
        size += _size(logs / "errors.log", row.get("errors_from", 0))
    return {
        "id": row["id"],
        "name": row["name"],
        "status": state,
        "session_id": session_id,
        "host": host or socket.gethostname(),
        "pid": pid,
        "command": redact(json.loads(row["command"])),
        "cwd": row["cwd"],
        "started_at": written_or_none(row["started_at"]),
        "ended_at": written_or_none(row["ended_at"]),
        "exit_code": row["exit_code"],
        "signal": row["signal"],
        "output_bytes": size,
        "tty": tty,
        "notice": None,
        "limits": json.loads(row["limits"]) if row.get("limits") else None,
        "limited_by": row.get("limited_by"),
        "ended_by": row.get("ended_by"),
        "owner": row.get("owner"),
        "task": row.get("task"),
        "usage": json.loads(row["usage"]) if row.get("usage") else None,
    }


def _size(path: Path, begin: int) -> int:
    """Return how many bytes a log has had, those that were dropped or removed among them."""
    try:
        return max(path.stat().st_size, begin)
    except OSError:
        return begin
