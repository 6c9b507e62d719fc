"""Locks on directories: one daemon a workspace."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from descartes_core.errors import Locked
from descartes_local.processes import command_of

#: What a file system says that cannot lock a directory (NFS: EBADF; 9p, FUSE: ENOTSUP, ENOLCK, ENOSYS).
_CANNOT = {errno.EBADF, errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}

#: What stands in the command line of whoever takes such a lock.
_HOLDERS = ("descartes_daemon", "descartes-daemon", "descartes_orchestrator")


def lock_directory(path: Path) -> int | None:
    """Lock a directory itself and return the descriptor that holds the lock; None where it cannot be locked.

    The lock belongs to the open directory: it holds while any copy of the descriptor is open anywhere.

    Raises:
        Locked: somebody else holds it.
        OSError: the directory cannot be opened.

    """
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Locked(f"{path} is locked by {_holder_of(path)}") from None
        except OSError as error:
            os.close(descriptor)
            if error.errno in _CANNOT:
                return None
            raise
        if is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # it was replaced between opening and locking: lock what is there now


def _holder_of(path: Path) -> str:
    """Say who took the lock on a directory: one of ours that lives; else its number may be a stranger's by now."""
    try:
        inode = f":{path.stat().st_ino}"
        with open("/proc/locks") as file:
            locks = [line.split() for line in file]
    except OSError:
        locks = []
    for _, kind, _, _, pid, where, *_ in (words for words in locks if len(words) == 8):
        if kind == "FLOCK" and where.endswith(inode) and any(ours in command_of(int(pid)) for ours in _HOLDERS):
            return f"process {pid}"
    return "another process"


def is_at(descriptor: int, path: Path) -> bool:
    """Say whether an open directory is still the one at this path."""
    try:
        there, here = os.stat(path), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
