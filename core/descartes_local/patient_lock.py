"""Wait for a lock, but not for ever."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path


def lock_within(path: Path, seconds: float) -> int | None:
    """Lock a directory and return the descriptor that holds the lock; None when nobody lets go of it in time.

    A directory that cannot be locked (NFS, FUSE) counts as locked: then only chance keeps two apart.

    Raises:
        OSError: it cannot be opened.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _wait(descriptor, seconds)
    except OSError:
        return descriptor
    return descriptor


def _wait(descriptor: int, seconds: float) -> int | None:
    """Let a thread wait: flock knows no deadline, and to ask again and again would be polling."""
    #: Whoever takes it first decides: the waiter has the lock, or the caller has given up.
    decision = threading.Lock()

    def wait() -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        finally:
            if not decision.acquire(blocking=False):
                os.close(descriptor)

    waiter = threading.Thread(target=wait, name=f"lock {descriptor}", daemon=True)
    waiter.start()
    waiter.join(seconds)
    if waiter.is_alive() and decision.acquire(blocking=False):
        return None
    waiter.join()
    return descriptor
