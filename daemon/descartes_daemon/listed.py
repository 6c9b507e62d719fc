"""Agents that are not in memory, as lists show them: a history has thousands."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from typing import Any

from descartes_core.redaction import redact
from descartes_core.times import written_or_none

HOST = socket.gethostname()


class Listed:
    """Makes what a list shows of an agent (methods.AgentInfo) from its row in `history`, and from nothing else."""

    def __init__(self, session_id: str, agents: str) -> None:
        """Know the session, and the directory in which its agents' directories are."""
        self._session_id, self._agents = session_id, agents

    def __call__(self, row: sqlite3.Row) -> dict[str, Any]:
        """Return one; may be called in a thread."""
        (
            identity,
            name,
            state,
            pid,
            command,
            cwd,
            started,
            ended,
            code,
            signal,
            tty,
            output_from,
            errors_from,
            *rest,
        ) = row
        limits, limited_by, ended_by = rest
        size = _size(f"{self._agents}/{identity}/output.log", output_from)
        if not tty:
            size += _size(f"{self._agents}/{identity}/errors.log", errors_from)
        return {
            "id": identity,
            "name": name,
            "status": state,
            "session_id": self._session_id,
            "host": HOST,
            "pid": pid,
            "command": redact(json.loads(command)),
            "cwd": cwd,
            "started_at": written_or_none(started),
            "ended_at": written_or_none(ended),
            "exit_code": code,
            "signal": signal,
            "output_bytes": size,
            "tty": bool(tty),
            "notice": None,
            "limits": None if limits is None else json.loads(limits),
            "limited_by": limited_by,
            "ended_by": ended_by,
        }


def _size(path: str, begin: int) -> int:
    """Return how many bytes a log has had, those that were dropped or removed among them."""
    try:
        return max(os.stat(path).st_size, begin)
    except OSError:
        return begin
