"""Workspaces that bear the same id: which one bore it first, and where the others are."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from descartes_core.errors import Unavailable
from descartes_local import registry, session_file
from descartes_local.home import Home

#: A copy is mostly made beside its original; who keeps more than this beside it is told by `sessions list`.
_MOST_NEIGHBOURS = 1000


def bears(path: Path, session_id: str) -> bool:
    """Say whether there is a workspace at a path whose session.json tells this id."""
    try:
        record = session_file.load(path)
    except (OSError, ValueError):
        return False
    return record is not None and record.id == session_id


def other_bearer(session_id: str, workspace: Path, others: Iterable[str | None]) -> Path | None:
    """Return the first other place that still bears this id; one where it is no more was moved from there."""
    for other in map(Path, filter(None, others)):
        if not other.is_absolute() or "\0" in str(other):
            continue  # session.json may say anything of its own place
        try:
            if not os.path.samefile(other, workspace) and bears(other, session_id):
                return other
        except OSError:
            continue
    return None


def remember_copies(home: Home, session_id: str, paths: Iterable[Path]) -> None:
    """Let the original be told of its copies, and them of each other, from now on."""
    with contextlib.suppress(OSError, Unavailable):
        registry.remember_copies(home, session_id, map(str, paths))


def copy_beside(session_id: str, workspace: Path) -> Path | None:
    """Return a workspace with the same id in the same directory; nothing else is searched."""
    try:
        with os.scandir(workspace.parent) as entries:
            neighbours = [entry.path for _, entry in zip(range(_MOST_NEIGHBOURS), entries, strict=False)]
    except OSError:
        return None
    return other_bearer(session_id, workspace, sorted(neighbours))
