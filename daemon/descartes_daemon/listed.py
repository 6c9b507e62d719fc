"""Agents that are not in memory, as lists show them: a history has thousands."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from functools import lru_cache
from typing import Any

from descartes_core.redaction import redact
from descartes_core.times import written_or_none

HOST = socket.gethostname()
#: A history is listed again and again; a command line that is longer is not kept for that.
_LONG = 1024


class Listed:
    """Makes what a list shows of an agent (methods.AgentInfo) from its row in `history`, and from nothing else."""

    def __init__(self, session_id: str, agents: str, *, usage: bool = False) -> None:
        """Know the session, the directory in which its agents' directories are, and whether to tell what they took."""
        self._session_id, self._agents, self._usage = session_id, agents, usage

    def __call__(self, row: sqlite3.Row) -> dict[str, Any]:
        """Return one; may be called in a thread."""
        shown = dict(zip(row.keys(), row, strict=True))  # `dict(row)` looks up each name, at twice the time
        logs = f"{self._agents}/{shown['id']}/"
        begins = shown.pop("output_from"), shown.pop("errors_from")
        size = _size(logs + "output.log", begins[0])
        shown["output_bytes"] = size if shown["tty"] else size + _size(logs + "errors.log", begins[1])
        shown["session_id"], shown["tty"] = self._session_id, bool(shown["tty"])
        shown["host"] = shown["host"] or HOST
        shown["command"] = _words(shown["command"])
        shown["started_at"], shown["ended_at"] = (
            written_or_none(shown["started_at"]),
            written_or_none(shown["ended_at"]),
        )
        shown["limits"] = None if shown["limits"] is None else json.loads(shown["limits"])
        usage = shown.pop("usage")
        if self._usage:
            shown["usage"] = None if usage is None else json.loads(usage)
        return shown


def _words(command: str) -> list[str]:
    """Return a stored command line without its secrets."""
    return _remembered(command) if len(command) < _LONG else redact(json.loads(command))


@lru_cache(maxsize=4096)
def _remembered(command: str) -> list[str]:
    return redact(json.loads(command))


def _size(path: str, begin: int) -> int:
    """Return how many bytes a log has had, those that were dropped or removed among them."""
    try:
        return max(os.stat(path).st_size, begin)
    except OSError:
        return begin
