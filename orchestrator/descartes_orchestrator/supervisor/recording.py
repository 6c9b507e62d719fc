"""What is written for a session while no daemon does it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

from descartes_core.errors import Locked
from descartes_core.session_life import State
from descartes_local.locks import lock_directory
from descartes_local.probe import reached
from descartes_local.session_file import Unreadable, load, save
from descartes_orchestrator.supervisor.journal import note

#: Five lines of a log are in its last pages.
_TAIL = 16_384


def write_state(workspace: Path, session: str, state: State, *, holds_lock: bool) -> None:
    """Write the state into session.json, unless somebody else holds the session; a workspace that is gone is let be."""
    reached("supervisor.recording")
    if not (workspace / ".scud").is_dir():
        return
    lock = None
    try:
        if not holds_lock:
            lock = lock_directory(workspace / ".scud")
        record = load(workspace)
        if record is None or record.id != session or record.status is State.ARCHIVED:
            return  # what was laid aside stays so, whatever became of a daemon that was not to be started
        if (record.status, record.daemon_info) != (state, None):
            save(workspace, replace(record, status=state, daemon_info=None))
    except (OSError, Unreadable, Locked) as error:
        note(f"session.json of {workspace} does not say {state}: {error}")
    finally:
        if lock is not None:
            os.close(lock)


def last_lines(log: Path, *, start: int = 0, count: int = 5) -> list[str]:
    """Return the last lines of a log, of what was written from `start` on."""
    with contextlib.suppress(OSError), open(log, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        # A log that is shorter by now was begun anew meanwhile.
        file.seek(max(start if start <= size else 0, size - _TAIL))
        lines = file.read(_TAIL).decode(errors="replace").splitlines()
        return [line for line in lines if line.strip()][-count:]
    return []


def is_full(log: Path) -> bool:
    """Say whether nothing more can be written to a log's file system."""
    try:
        return os.statvfs(log.parent).f_bavail == 0
    except OSError:
        return False


def size_of(log: Path) -> int:
    """Return how long a log is."""
    try:
        return log.stat().st_size
    except OSError:
        return 0
