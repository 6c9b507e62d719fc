"""What killed imports left: remove it, or finish it where the session is there."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from descartes_core.errors import Locked, Unavailable
from descartes_local import registry, session_file
from descartes_local.archive_form import IMPORTING
from descartes_local.home import Home
from descartes_local.json_file import read_json
from descartes_local.locks import lock_directory

#: Begins the name of a directory that is not a session's data yet, beside those that are.
ASIDE = ".import-"


def finish(data: Path) -> None:
    """Let a session's data be like any other's."""
    (data / IMPORTING).unlink(missing_ok=True)


def leftovers(home: Home) -> list[Path]:
    """Return what `sweep` would remove; nothing is changed."""
    return [directory for directory in _abandoned(home) if _is_nothing(directory)]


def sweep(home: Home) -> None:
    """Remove what no session is made of, and finish what one is; what nobody can tell stays."""
    for directory in _abandoned(home):
        if _is_nothing(directory):
            shutil.rmtree(directory, ignore_errors=True)
        elif _is_there(told := _told(directory)):
            with contextlib.suppress(OSError, Unavailable):
                registry.remember(home, told["id"], told["path"])
            finish(directory)


def _abandoned(home: Home) -> Iterator[Path]:
    """Yield what imports have begun and nobody works on; each is locked until the next one."""
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(home.path / "sessions")):
            directory = home.path / "sessions" / name
            if not (name.startswith(ASIDE) or (directory / IMPORTING).exists()):
                continue
            try:
                lock = lock_directory(directory)
            except (Locked, OSError):
                continue  # somebody is at it, or serves it
            try:
                yield directory
            finally:
                if lock is not None:
                    os.close(lock)


def _is_nothing(directory: Path) -> bool:
    """Say whether there never was a session of it.

    Its workspace was made before, so that one which is not there was moved, or is on another disk: it may well have a
    session whose history this is.
    """
    if directory.name.startswith(ASIDE):
        return True
    place = Path(str(_told(directory).get("path", ""))) / ".scud"
    return place.is_absolute() and place.is_dir() and not os.path.lexists(place / "session.json")


def _is_there(told: dict[str, Any]) -> bool:
    try:
        found = session_file.load(Path(told["path"]))
    except (session_file.Unreadable, KeyError, TypeError):
        return False
    return found is not None and found.id == told.get("id")


def _told(directory: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        if isinstance(told := read_json(directory / IMPORTING), dict):
            return told
    return {}
