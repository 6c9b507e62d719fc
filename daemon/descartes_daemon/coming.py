"""Wait until a supervisor tells of itself."""

from __future__ import annotations

import asyncio
import contextlib

from descartes_local.home import Home
from descartes_local.inotify import MOVED_TO, Inotify
from descartes_local.supervisor_file import NAME


async def told_within(home: Home, seconds: float) -> None:
    """Return when one has told of itself, at the latest after this time; one that told before is not noticed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            try:
                await _told(home)
            except OSError:  # no inotify: then only time helps
                await asyncio.sleep(seconds)


async def _told(home: Home) -> None:
    loop, came, inotify = asyncio.get_running_loop(), asyncio.Event(), Inotify()

    def look() -> None:
        if any(told.name == NAME.encode() for told in inotify.read()):
            came.set()

    try:
        inotify.add(home.run, MOVED_TO)
        loop.add_reader(inotify.descriptor, look)
        await came.wait()
    finally:
        loop.remove_reader(inotify.descriptor)
        inotify.close()
