"""Make a workspace."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from descartes_core.errors import AlreadyExists, Locked, Refused, Unavailable
from descartes_core.ids import check_name, new_id
from descartes_local import registry, session_file
from descartes_local.home import Home
from descartes_local.json_file import write_json
from descartes_local.locks import lock_directory
from descartes_orchestrator.identity import Session, fresh_record, session_of


def create(home: Home, path: str | os.PathLike[str], name: str | None = None) -> Session:
    """Make a directory a workspace, adding only what is missing, and remember it.

    Raises:
        AlreadyExists: it has a session.json, or something else is in the way.
        InvalidParams: the name is not fit to be one.
        Unavailable: it cannot be written.

    """
    if name is not None:
        check_name(name)
    place = Path(os.path.abspath(os.path.expanduser(path)))
    try:
        if os.path.realpath(place) == os.path.realpath(home.path):
            raise Refused(f"{place} is where Descartes keeps its own files: choose another directory")
        known_before = (place / ".scud").is_dir()
        (place / ".scud" / "tasks").mkdir(parents=True, exist_ok=True)
        workspace = place.resolve()
        _write_record(home, workspace, name, known_before=known_before)
    except (FileExistsError, NotADirectoryError) as error:
        raise AlreadyExists(f"{error.filename or place} is in the way: it is not a directory") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Unavailable(f"cannot make a workspace at {place}: {reason}") from error
    made = session_of(home, workspace)
    try:
        note = registry.remember(home, made.id, str(workspace))
    except (OSError, Unavailable) as error:
        note = f"it cannot be remembered: {error}"
    return replace(made, notes=(*made.notes, note)) if note else made


def _write_record(home: Home, workspace: Path, name: str | None, *, known_before: bool) -> None:
    file = session_file.path_in(workspace)
    try:
        lock = lock_directory(file.parent)
    except Locked:
        why = f"has a session already: {file} exists" if os.path.lexists(file) else "is being made by another process"
        raise AlreadyExists(f"{workspace} {why}") from None
    try:
        if os.path.lexists(file):  # also a torn one: that is a session's, and not ours to replace
            raise AlreadyExists(f"{workspace} has a session already: {file} exists")
        # What was listed before as a session keeps that id; what is new must not take over an older one's.
        identity = session_of(home, workspace).id if known_before else new_id()
        record = fresh_record(identity, workspace, time.time())
        _add_missing(workspace)  # before the record: who is killed in between is no session yet, and can repeat it
        session_file.save(workspace, replace(record, name=name or record.name))
    finally:
        if lock is not None:
            os.close(lock)


def _add_missing(workspace: Path) -> None:
    files = {
        workspace / ".scud" / "tasks" / "tasks.json": {},
        workspace / ".scud" / "workflow-state.json": {"active_epic": None, "updated_at": None},
    }
    for path, content in files.items():
        if not os.path.lexists(path):
            write_json(path, content, mode=0o644)
    for name in ("data", "thoughts", "logs"):
        (workspace / name).mkdir(exist_ok=True)
