"""Write `.scud/session.json` anew when it vanishes under a living daemon, and lock what is there then.

Agents run `git clean -fdX` and `git stash -a`, and both delete `.scud`. The kernel tells of it, so that at rest nothing
is looked at; where it cannot tell, the next call makes us look.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from descartes_core import kept
from descartes_core.errors import Locked, Unavailable
from descartes_core.times import written
from descartes_daemon.session_upkeep import Upkeep
from descartes_daemon.tree_watch import COMES, TreeWatch
from descartes_local.inotify import (
    DELETE,
    DELETE_SELF,
    IGNORED,
    MOVE_SELF,
    MOVED_FROM,
    ONLYDIR,
    OVERFLOW,
    UNMOUNT,
    Inotify,
)
from descartes_local.probe import reached
from descartes_local.session_file import path_in

_log = logging.getLogger(__name__)

_SELF = DELETE_SELF | MOVE_SELF | UNMOUNT | IGNORED | OVERFLOW
#: Whoever deletes is let finish: a directory that fills again while it is emptied cannot be removed.
_QUIET, _LONGEST_QUIET = 0.2, 2.0
#: So many times within the window it is written anew at once; then each time after twice the pause of the last.
_FREE, _WINDOW = 5, 600.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
#: Where the kernel does not tell, calls make us look, but not each (seconds).
_LOOK_EVERY = 1.0


class ScudWatch:
    """Looks after one workspace's `.scud`."""

    def __init__(
        self,
        upkeep: Upkeep,
        *,
        keep: Callable[[Mapping[str, int]], Awaitable[object]],
        tell: Callable[..., Awaitable[None]],
    ) -> None:
        self._upkeep = upkeep
        #: Gives a lock into keeping, in place of the one before.
        self._keep = keep
        #: Tells an event.
        self._tell = tell
        #: Of what SCUD keeps there.
        self.tree = TreeWatch()
        self._inotify: Inotify | None = None
        #: The watches: of the workspace, of `.scud`.
        self._numbers: list[int] = []
        #: Something happened there, and something that concerns us.
        self._stir, self._news = asyncio.Event(), asyncio.Event()
        self._is_blind = True
        self._is_gone = False
        #: What could not be written from the start on was told then.
        self._was_whole = False
        self._looked = 0.0
        self._rewritten: deque[float] = deque()
        self._notice: str | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            self._inotify = Inotify()
            loop.add_reader(self._inotify.descriptor, self._read)
        except OSError as error:
            _log.info("the workspace is looked at when somebody calls: %s", error)
        try:
            while True:
                self._look_out()
                self._looked = time.monotonic()
                if await asyncio.to_thread(self._is_whole):
                    self._is_gone, self._was_whole = False, True
                    reached("daemon.scud.watched")
                    await self._news.wait()
                    await self._calm()
                elif not await self._mend():
                    await self._news.wait()
                self._news.clear()
        finally:
            if self._inotify is not None:
                loop.remove_reader(self._inotify.descriptor)
                self._inotify.close()

    def look_soon(self) -> None:
        """Look again because somebody calls, where the kernel does not tell."""
        if self._is_blind and time.monotonic() - self._looked > _LOOK_EVERY:
            self._news.set()
            self.tree.on_change(True)

    def _look_out(self) -> None:
        """Let the kernel tell of the workspace and of the `.scud` that are there now."""
        self._is_blind = True
        if self._inotify is None:
            return
        before, self._numbers = self._numbers, []
        workspace = self._upkeep.workspace
        try:
            self._numbers.append(self._inotify.add(workspace, DELETE_SELF | MOVE_SELF | ONLYDIR))
            mask = DELETE | MOVED_FROM | DELETE_SELF | MOVE_SELF
            self._numbers.append(self._inotify.add(workspace / ".scud", mask | COMES | ONLYDIR))
            self.tree.look_out(self._inotify, workspace)
            self._is_blind = False
        except FileNotFoundError:
            pass  # it is about to be mended, or gone
        except OSError as error:
            _log.info("%s is looked at when somebody calls: %s", workspace, error)
        for number in set(before) - set(self._numbers):
            with contextlib.suppress(OSError):  # it went with its directory
                self._inotify.remove(number)

    def _read(self) -> None:
        assert self._inotify is not None, "its reader is registered after it"
        for told in self._inotify.read():
            self.tree.hear(told)
            if told.mask & COMES:
                if told.number in self._numbers and told.name == b"tasks":
                    self.tree.look_out(self._inotify, self._upkeep.workspace)
            elif told.number in (*self._numbers, -1):
                self._stir.set()
                if told.mask & _SELF or told.name == b"session.json":
                    self._news.set()

    async def _calm(self) -> None:
        """Wait until whoever deletes has finished, but not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_QUIET):
                while True:
                    self._stir.clear()
                    async with asyncio.timeout(_QUIET):
                        await self._stir.wait()

    def _is_whole(self) -> bool:
        return self._upkeep.workspace.is_dir() and self._upkeep.is_whole()

    async def _mend(self) -> bool:
        """Write anew what has vanished; False where that is not possible now, and was told."""
        workspace = self._upkeep.workspace
        if not await asyncio.to_thread(workspace.is_dir):
            await self._tell_gone()
            return False
        if pause := self._pause():
            reached("daemon.scud.pausing")
            await asyncio.sleep(pause)
        try:
            fresh = await asyncio.to_thread(self._upkeep.lock_again)
            reached("daemon.scud.locked")
            if fresh is not None:
                await self._keep({kept.LOCK_WORKSPACE: fresh})
            await asyncio.to_thread(self._upkeep.write_again)
        except (Locked, OSError) as error:
            self._is_blind = True
            if self._was_whole:
                self._say(f"{path_in(workspace)} has vanished and cannot be written anew: {error}")
            return False
        self._rewritten.append(time.monotonic())
        await self._tell_rewritten()
        return True

    def _pause(self) -> float:
        """Return how long to wait before it is written anew: what vanishes again and again must not keep us busy."""
        now = time.monotonic()
        while self._rewritten and now - self._rewritten[0] > _WINDOW:
            self._rewritten.popleft()
        beyond = len(self._rewritten) - _FREE
        return 0.0 if beyond < 0 else float(min(_SHORTEST_PAUSE * 2 ** min(beyond, 10), _LONGEST_PAUSE))

    async def _tell_rewritten(self) -> None:
        path, times = path_in(self._upkeep.workspace), len(self._rewritten)
        text = f"{path} vanished and was written anew at {written(time.time())}"
        if times >= _FREE:
            text += f", {times} times within {_WINDOW / 60:g} minutes: something deletes it again and again"
        self._say(text)
        await self._event("workspace_rewritten", path=str(path), times=times)
        reached("daemon.scud.rewritten")

    async def _tell_gone(self) -> None:
        self._is_blind = True
        if self._is_gone:
            return
        self._is_gone = True
        workspace = self._upkeep.workspace
        self._say(f"{workspace} is not there any more; the session and its agents go on")
        await self._event("workspace_gone", path=str(workspace))
        reached("daemon.workspace.gone")

    async def _event(self, event_type: str, **data: object) -> None:
        with contextlib.suppress(Unavailable):  # on a full disk the notice and the log have to do
            await self._tell(event_type, **data)

    def _say(self, text: str) -> None:
        """Tell people, in place of what was told before; the same is not told twice."""
        if text != self._notice:
            self._upkeep.tell(text, instead_of=self._notice)
            self._notice = text
