"""Locks on directories: one daemon a workspace."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path

from descartes_core.errors import Locked
from descartes_local.lock_holder import holder_of
from descartes_local.patient_lock import lock_within

#: What a file system says that cannot lock a directory (NFS: EBADF; 9p, FUSE: ENOTSUP, ENOLCK, ENOSYS).
_CANNOT = {errno.EBADF, errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP}


def lock_directory(path: Path, *, patience: float = 0.0) -> int | None:
    """Lock a directory itself and return the descriptor that holds the lock; None where it cannot be locked.

    The lock belongs to the open directory: it holds while any copy of the descriptor is open anywhere.

    Args:
        path: the directory.
        patience: how long to wait for a command that holds it for a moment; nobody waits for a daemon (seconds).

    Raises:
        Locked: somebody else holds it; the message tells who.
        OSError: the directory cannot be opened.

    """
    ends = time.monotonic() + patience
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            descriptor = _wait(path, ends)
        except OSError as error:
            os.close(descriptor)
            if error.errno in _CANNOT:
                return None
            raise
        if is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # it was replaced between opening and locking: lock what is there now


def _wait(path: Path, ends: float) -> int:
    holder = holder_of(path)
    left = ends - time.monotonic()
    descriptor = lock_within(path, left) if left > 0 and not (holder and holder.is_lasting) else None
    if descriptor is None:
        raise Locked(f"{path} is locked by {holder or 'another process'}")
    return descriptor


def is_at(descriptor: int, path: Path) -> bool:
    """Say whether an open directory is still the one at this path."""
    try:
        there, here = os.stat(path), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
