"""Wait for the end of processes, whoever their parent is."""

from __future__ import annotations

import asyncio
import os
import sys

from descartes_local.processes import Process
from descartes_local.tree import alive


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


async def all_ended(processes: set[Process], patience: float | None = None) -> None:
    """Wait until all of these have ended, or patience has (seconds; None: for ever)."""
    if sys.platform != "linux":  # pragma: no cover - not Linux
        await asyncio.sleep(0.05 if patience is None else min(patience, 0.05))
        return
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    waiting: set[int] = set()

    def one_ended(descriptor: int) -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        waiting.discard(descriptor)
        if not waiting:
            over.set()

    for process in alive(processes):
        try:
            descriptor = os.pidfd_open(process.pid)
        except OSError:
            continue
        waiting.add(descriptor)
        loop.add_reader(descriptor, one_ended, descriptor)
    try:
        if waiting:
            async with asyncio.timeout(patience):
                await over.wait()
    except TimeoutError:
        return
    finally:
        for descriptor in waiting:
            loop.remove_reader(descriptor)
            os.close(descriptor)
