"""Wait for the end of a process, whoever its parent is."""

from __future__ import annotations

import asyncio
import os
import sys


async def ended(pidfd: int) -> None:
    """Wait until the process behind a pidfd has ended; anybody may, not only its parent."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def notice() -> None:
        loop.remove_reader(pidfd)
        if not over.done():
            over.set_result(None)

    loop.add_reader(pidfd, notice)
    try:
        await over
    finally:
        loop.remove_reader(pidfd)


def open_pidfd(pid: int) -> int | None:
    """Return a descriptor of a process, None where it is gone or the system has none."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
