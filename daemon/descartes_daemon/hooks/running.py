"""Run a command for a letter: within a time, and all of what it starts.

The letter is its stdin, what it prints is kept as far as its last failure needs. What it leaves is ended with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from descartes_daemon.ending import ended, open_pidfd
from descartes_daemon.hooks.outcome import DELIVERED, Outcome
from descartes_local.endings import UNKNOWN, Ending, reap
from descartes_local.processes import Process, process_of
from descartes_local.tree import find_tree, kill_tree

#: In the environment of all that hooks run.
MARK = "DESCARTES_HOOK_ID"
#: The most that is kept of what a command prints, bytes: the last of it.
KEPT_OUTPUT = 16 * 1024
#: What is printed beyond is read in such pieces, so slowly that a command that only prints costs us nothing.
_PIECE, _PAUSE = 64 * 1024, 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """What is run, and in which surroundings."""

    hook_id: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    timeout: float
    #: Children that nobody else is to reap.
    helpers: set[int]
    #: Whether children are there that are neither agents nor helpers.
    has_others: Callable[[], bool]


async def run(what: Run, letter: str) -> Outcome:
    """Try once."""
    with contextlib.ExitStack() as stack:
        said, theirs = os.pipe()
        output = stack.enter_context(_Output(said))
        try:
            started = _start(what, letter, theirs)
        except (OSError, ValueError) as error:
            return Outcome.failed(f"cannot be run: {getattr(error, 'strerror', None) or error}")
        finally:
            os.close(theirs)
        output.begin()
        process = process_of(started.pid) or Process(started.pid, 0)
        what.helpers.add(started.pid)
        try:
            is_over = await _over(started, what.timeout)
        finally:
            # Also when the daemon ends in the middle of it: it is tried again by the next one.
            ending = await _end(what, process, started)
        output.finish()
    if not is_over:
        return Outcome.failed(f"did not end within {what.timeout:g} s, and was killed", output.text)
    return DELIVERED if ending.is_well else Outcome.failed(f"ended with {ending}", output.text)


def _start(what: Run, letter: str, theirs: int) -> subprocess.Popen[bytes]:
    with tempfile.TemporaryFile() as stdin:
        stdin.write(letter.encode())
        stdin.seek(0)
        return subprocess.Popen(
            list(what.command),
            stdin=stdin,
            stdout=theirs,
            stderr=theirs,
            cwd=what.cwd,
            env={**what.env, MARK: what.hook_id},
            start_new_session=True,
        )


async def _over(started: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait for its end; say whether it came in time."""
    try:
        async with asyncio.timeout(timeout):
            pidfd = open_pidfd(started.pid)
            if pidfd is None:  # pragma: no cover - not Linux
                await asyncio.to_thread(started.wait)
                return True
            try:
                await ended(pidfd)
            finally:
                os.close(pidfd)
    except TimeoutError:
        return False
    return True


async def _end(what: Run, process: Process, started: subprocess.Popen[bytes]) -> Ending:
    """Kill what is left of it, reap it, and return how it ended."""
    ending = reap(started.pid)
    if ending is None or what.has_others():
        await asyncio.to_thread(kill_tree, lambda: find_tree({process}, (MARK, what.hook_id)))
    if ending is None:
        await _over(started, what.timeout)
        ending = reap(started.pid) or UNKNOWN
    what.helpers.discard(started.pid)
    started.returncode = 0  # it was reaped here: Popen shall look for no such pid, which may soon be another's
    return ending


class _Output:
    """Reads what is printed and keeps the last of it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept = bytearray()
        self._later: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._count = 0
        os.set_blocking(descriptor, False)

    def begin(self) -> None:
        """Read from now on."""
        self._loop.add_reader(self._descriptor, self._read)

    def finish(self) -> None:
        """Take what is there still, a pipe's content at most."""
        self._take()

    def _read(self) -> None:
        is_open = self._take()
        if not is_open or self._count > KEPT_OUTPUT:
            self._loop.remove_reader(self._descriptor)
        if is_open and self._count > KEPT_OUTPUT:
            self._later = self._loop.call_later(_PAUSE, self.begin)

    def _take(self) -> bool:
        """Take a piece; say whether more may come."""
        try:
            piece = os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return True
        self._count += len(piece)
        self._kept += piece
        del self._kept[:-KEPT_OUTPUT]
        return bool(piece)

    @property
    def text(self) -> str:
        """The last of it."""
        return self._kept.decode(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._later is not None:
            self._later.cancel()
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
