"""Begin a log anew, so that it takes a bounded part of the disk.

Standard output and error of this process both go to the log. The new file is made first, the old ones are moved
by one number each, the new one takes the name, and only then the descriptors follow: killed in between, at most the
name is missing for a moment, and whoever opens the log next makes it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from pathlib import Path

_OUT, _ERR = 1, 2


def is_a_file() -> bool:
    """Say whether standard error goes to a file."""
    try:
        return stat.S_ISREG(os.fstat(_ERR).st_mode)
    except OSError:
        return False


def rotate(path: Path, *, most: int, keep: int) -> bool:
    """Begin the log anew when standard error goes to it and it has more bytes than that; say whether it was done.

    `keep` old ones stay, as `path.1` (the newest) and on.

    Raises:
        OSError: it cannot be done; the log goes on as it was.

    """
    found = os.fstat(_ERR)
    if found.st_size <= most or not stat.S_ISREG(found.st_mode) or not _is_at(path, found):
        return False
    fresh = path.with_name(f"{path.name}.new")
    descriptor = _open(fresh)
    try:
        for number in range(keep, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
            if newer.exists():
                newer.replace(older)
        fresh.replace(path)
        _follow(descriptor)
    finally:
        os.close(descriptor)
    _remove_beyond(path, keep)
    return True


def _remove_beyond(path: Path, keep: int) -> None:
    """Remove what was kept when more were."""
    with contextlib.suppress(FileNotFoundError):
        for number in itertools.count(keep + 1):
            path.with_name(f"{path.name}.{number}").unlink()


def reopen(path: Path) -> None:
    """Let standard output and error go to the file of this name, e.g. after it was moved away.

    Raises:
        OSError: it cannot be opened; the log goes on as it was.

    """
    descriptor = _open(path)
    try:
        _follow(descriptor)
    finally:
        os.close(descriptor)


def _is_at(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), found)
    except OSError:
        return False  # somebody moved it away: it is theirs now


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _follow(descriptor: int) -> None:
    os.dup2(descriptor, _OUT)
    os.dup2(descriptor, _ERR)
