"""Read and write a workspace's session.json."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

from descartes_core.session_record import SessionRecord, read_record
from descartes_local.json_file import sync_directory, write_json
from descartes_local.regular_file import read_regular


class Unreadable(ValueError):
    """session.json is there, but does not tell of a session."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be used: {reason}")
        self.path, self.reason = path, reason


def path_in(workspace: Path) -> Path:
    """Return where a workspace has its session.json."""
    return workspace / ".scud" / "session.json"


def refuse_link(workspace: str | os.PathLike[str]) -> None:
    """Refuse a `.scud` that is a link to elsewhere: a cloned workspace would have us write into another directory.

    Raises:
        OSError: it is one.

    """
    scud = os.path.join(workspace, ".scud")
    if os.path.islink(scud) and not os.path.realpath(scud).startswith(os.path.realpath(workspace) + os.sep):
        raise OSError(errno.ELOOP, "it is a link that leaves its workspace", scud)


def load(workspace: Path) -> SessionRecord | None:
    """Return what session.json tells, None when there is none.

    Raises:
        Unreadable: it is torn, foreign, or not for us to read; it is left where it is.

    """
    path = path_in(workspace)
    try:
        return read_record(json.loads(_content(path)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unreadable(path, error.strerror or str(error)) from error
    except RecursionError as error:
        raise Unreadable(path, "it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise Unreadable(path, f"not JSON: {error}") from error
    except ValueError as error:
        raise Unreadable(path, str(error)) from error


def _content(path: Path) -> bytes:
    content = read_regular(path)
    if not content:
        raise ValueError("it is empty")
    return content


def set_aside(workspace: Path) -> Path:
    """Rename session.json to session.json.torn-TIME and return that; whoever holds the session's lock may do it.

    Raises:
        OSError: it cannot be renamed.

    """
    refuse_link(workspace)
    path = path_in(workspace)
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.torn-{moment}")
    number = 1
    while os.path.lexists(aside):  # two in one second: neither may be lost
        number += 1
        aside = path.with_name(f"{path.name}.torn-{moment}-{number}")
    path.rename(aside)
    sync_directory(path.parent)
    return aside


def save(workspace: Path, record: SessionRecord) -> None:
    """Write session.json, atomically and synced; `.scud` is made anew where it has vanished.

    Only whoever holds the session's lock may do it.

    Raises:
        OSError: it cannot be written; what was there stays.

    """
    refuse_link(workspace)
    path = path_in(workspace)
    try:
        path.parent.mkdir(exist_ok=True)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "the workspace is gone", str(workspace)) from None
    write_json(path, record.as_json(), mode=0o644)
