"""Run the process that indexes: begin it, hear how it went, end it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from descartes_local.processes import process_of, send_signal

#: Its end is awaited for so long (seconds), then it is killed, which does its index no harm: the next daemon waits.
_PATIENCE = 0.2
#: -P: what lies in some working directory is not imported.
_COMMAND = ["-P", "-m", "descartes_daemon.search.indexer"]
#: By this its environment tells that it is nobody's stray, also where its daemon was killed; `Orphans` looks for it.
MARK = "DESCARTES_INDEXER"
#: What is told of one that somebody else killed, or that failed.
MIDWAY = "the process that indexes ended before it was done: daemon.log may say why"


class IndexerProcess:
    """One run of it; it is in our own process session, so its end is noticed like that of any stray child."""

    def __init__(self, order: dict[str, Any], on_end: Callable[[str], None]) -> None:
        """Begin it.

        Args:
            order: What it is to do.
            on_end: Told, in the loop, in a few words how it went; nothing where we killed it.

        Raises:
            OSError: no process can be started.

        """
        self.is_urgent = bool(order["is_urgent"])
        self.ended = asyncio.Event()
        self._on_end = on_end
        self._said = b""
        self._is_killed = False
        self._loop = asyncio.get_running_loop()
        theirs_in, self._input = os.pipe()
        self._output, theirs_out = os.pipe()
        try:
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *_COMMAND],
                {**os.environ, MARK: "1"},
                file_actions=[(os.POSIX_SPAWN_DUP2, theirs_in, 0), (os.POSIX_SPAWN_DUP2, theirs_out, 1)],
                setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1],
                setsigmask=[],
            )
        except OSError:
            os.close(self._input)
            os.close(self._output)
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        if not self.is_urgent:
            # At once: it takes a while to be loaded.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, pid, 19)
        self._process = process_of(pid)
        os.set_blocking(self._output, False)
        self._loop.add_reader(self._output, self._hear)
        with contextlib.suppress(OSError):  # it has ended already
            os.write(self._input, json.dumps(order).encode() + b"\n")

    def _hear(self) -> None:
        try:
            piece = os.read(self._output, 4096)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._said += piece
        if not piece:
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self.let_end()
            self.ended.set()
            told = self._said.decode(errors="replace").strip()
            self._on_end(told or ("" if self._is_killed else MIDWAY))

    def let_end(self) -> None:
        """Let it end when it has stored what it is at."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def kill(self) -> None:
        """End it at once: what it had not stored is read again by the next one."""
        self._is_killed = True
        if self._process is not None:
            send_signal(self._process, signal.SIGKILL)

    async def end(self) -> None:
        """Let it end, and wait for that."""
        self.let_end()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.ended.wait()
        except TimeoutError:
            self.kill()
            await self.ended.wait()
