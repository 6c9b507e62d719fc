"""Start daemons: by the fork server where that is wise and works, else by exec.

The fork server is a process of its own, so that what a daemon imports is no part of the supervisor, and so that it can
be replaced whenever it is dead, silent, or of code that is not the installed one any more.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from descartes_core.restart import Deaths, GiveUp, RestartRule
from descartes_orchestrator.fork_server.wire import Garbled, Request
from descartes_orchestrator.supervisor.fork_server import PATIENCE, ForkServer
from descartes_orchestrator.supervisor.installed import INSTALLED
from descartes_orchestrator.supervisor.journal import note
from descartes_orchestrator.supervisor.loop import Loop, Timer
from descartes_orchestrator.supervisor.saving import SavedForkServer
from descartes_orchestrator.supervisor.start import Start, open_log, python, start

#: Imports take half a second; beyond this something holds them for ever.
_LONGEST_LOADING = 60.0
#: A machine that is so busy that this is not enough is no quicker by exec.
_ALONE = 15.0
_SILENT = "did not answer in time"
_DAEMON = tuple(python("descartes_daemon"))


class _NotForked(Exception):
    """A daemon has to be started otherwise."""


class Forks:
    """Keeps one fork server ready, and starts daemons."""

    def __init__(
        self,
        loop: Loop,
        rule: RestartRule,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        have_daemons: Callable[[], bool],
    ) -> None:
        self._have_daemons = have_daemons
        self._loop, self._command, self._environment, self._log = loop, command, environment, log
        self._server: ForkServer | None = None
        #: One of older code, kept until a daemon of the present code has been ready.
        self._older: ForkServer | None = None
        #: The daemons of the present code, while there is an older one.
        self._unproven: set[int] = set()
        #: The next daemon is one of the older code.
        self._falls_back = False
        self._rule, self._deaths = rule, Deaths(rule)
        self._next: Timer | None = None
        #: The state of the code for which it was given up.
        self._given_up = ""
        #: Why daemons are started by exec, if they are.
        self.trouble: str | None = "no fork server was started"

    @property
    def pids(self) -> set[int]:
        """The children of ours that are no daemons."""
        return {server.pid for server in (self._server, self._older) if server is not None}

    @property
    def code(self) -> str | None:
        """The state of the code that daemons are forked with, once one of it has been ready."""
        return self._server.stamp if self._server is not None and self._server.is_proven else None

    def told(self) -> dict[str, Any]:
        """Return what `status` tells: the fork server's pid, or why daemons are started by exec."""
        pid, stamp = (self._server.pid, self._server.stamp) if self._server else (None, None)
        return {"pid": pid, "stamp": stamp, "trouble": self.trouble}

    def begin(self) -> None:
        """Start a fork server, which loads while others do other things; nothing where a fork is not wise."""
        self._forget_next()
        if not self._command:
            return
        if sys.platform != "linux":
            self.trouble = "this system's libraries do not survive a fork"
            return
        try:
            server = ForkServer.begin(self._command, self._environment, self._log)
        except OSError as error:
            self._failed(f"cannot be started: {error}", ready_for=None)
            return
        note(f"fork server {server.pid} begins")
        self._take(server)

    def start(self, wanted: Start, title: str) -> int:
        """Start a daemon and return its pid; what is no daemon of ours is executed.

        Raises:
            OSError: no process can be made, or its log cannot be opened.

        """
        if tuple(wanted.command[: len(_DAEMON)]) != _DAEMON:
            return start(wanted)
        if self._falls_back and (pid := self._fork_older(wanted, title)) is not None:
            return pid
        try:
            pid = self._fork_present(wanted, title)
        except _NotForked as error:
            note(f"{title} is started by exec: {error}")
            pid = start(wanted)
        if self._older is not None:
            self._unproven.add(pid)
        return pid

    def proved(self, pid: int) -> None:
        """Hear that a daemon is ready: where it is one of the present code, older code is not needed any more."""
        if self._server is not None and (self._older is None or pid in self._unproven):
            self._server.is_proven = True
        if pid in self._unproven:
            self._forget_older()

    def may_fall_back(self, pid: int) -> bool:
        """Say whether a daemon that does not become ready has older code behind it."""
        return self._older is not None and pid in self._unproven

    def fall_back(self, pid: int) -> bool:
        """Say whether a daemon that ended before it was ready is one to try by older code; the next start does."""
        self._falls_back = self.may_fall_back(pid)
        self._unproven.discard(pid)
        return self._falls_back

    def close(self) -> None:
        """End the fork servers."""
        self._forget_next()
        if self._server is not None:
            self._let_go(self._server)
        self._forget_older()

    # When the supervisor is renewed.

    def saved(self) -> SavedForkServer | None:
        """Return the one of which a daemon has been ready, for the supervisor that takes our place."""
        found = [server.saved() for server in (self._server, self._older) if server is not None]
        return next(filter(None, found), None)

    def restore(self, saved: SavedForkServer | None, stamp: str) -> None:
        """Take the one that the supervisor before us had; where it has loaded other code, until ours works.

        Raises:
            OSError: its descriptors are not there.

        """
        if saved is not None:
            server = ForkServer.restored(saved)
            if saved.stamp == stamp:
                self._take(server)
            else:
                self._put_aside(server)

    def leave(self) -> None:
        """End what has not shown that it works: the rest goes along."""
        if self._server is not None and not self._server.is_proven:
            self._let_go(self._server)

    def come_back(self) -> None:
        """Have a fork server."""
        if self._server is None:
            self.begin()

    def _fork_present(self, wanted: Start, title: str) -> int:
        while (server := self._ready()) is not None:
            try:
                return _fork(server, wanted, title)
            except TimeoutError:
                self._lost(_SILENT)
                # No second try: everybody has waited long enough.
                raise _NotForked(f"the fork server {_SILENT}") from None
            except Garbled as error:
                self._lost(f"forked no daemon: {error}")
        raise _NotForked(self.trouble or "the fork server is not ready")

    def _fork_older(self, wanted: Start, title: str) -> int | None:
        self._falls_back = False
        if self._older is None:
            return None
        note(f"{title} is started once more by older code: one of the installed code ended before it was ready")
        try:
            return _fork(self._older, wanted, title)
        except (Garbled, TimeoutError):
            self._forget_older()
            return None

    def _ready(self) -> ForkServer | None:
        """Return a fork server that has loaded the installed code; None where there is none, or not for long."""
        stamp = INSTALLED.stamp()
        if self._given_up not in ("", stamp):
            self._given_up, self._deaths = "", Deaths(self._rule)
            self.begin()
        elif self._server is not None and self._server.stamp not in (None, stamp):
            self._retire(self._server)
            self.begin()
        server = self._server
        if server is None or not self._is_ready(server):
            return None
        return server if server.stamp == stamp else None

    def _retire(self, server: ForkServer) -> None:
        """Put a fork server aside that has loaded other code than is installed now."""
        note(f"fork server {server.pid} has loaded code that is not the installed one any more")
        if not server.is_proven:
            self._let_go(server)
            return
        self._server = None
        self._forget_older()
        self._put_aside(server)

    def _take(self, server: ForkServer) -> None:
        self.trouble, self._server = None, server
        self._loop.watch(server.channel.fileno(), self._look)

    def _put_aside(self, server: ForkServer) -> None:
        self._older = server
        self._loop.watch(server.channel.fileno(), self._forget_older)

    def _forget_older(self) -> None:
        self._unproven.clear()
        if self._older is not None:
            older, self._older = self._older, None
            self._loop.unwatch(older.channel.fileno())
            older.end()

    def _is_ready(self, server: ForkServer) -> bool:
        try:
            # While there are no daemons nobody waits for us but those who want one, and exec takes as long.
            is_ready = server.wait_ready(PATIENCE if self._have_daemons() else _ALONE)
        except Garbled as error:
            self._lost(f"ended before it was ready: {error}")
            return False
        if not is_ready and time.monotonic() - server.started_at > _LONGEST_LOADING:
            self._lost("does not become ready")
        return is_ready

    def _look(self) -> None:
        """Something came unasked: it is ready, or it has ended."""
        if self._server is not None and self._server.ready_at is None:
            self._is_ready(self._server)
        else:
            self._lost("ended, or spoke unasked")

    def _lost(self, why: str) -> None:
        server = self._server
        if server is not None:
            self._let_go(server)
            now = time.monotonic()
            self._failed(why, ready_for=None if server.ready_at is None else now - server.ready_at)

    def _failed(self, why: str, *, ready_for: float | None) -> None:
        verdict = self._deaths.add(now=time.monotonic(), ready_for=ready_for)
        self.trouble = f"the fork server {why}"
        if isinstance(verdict, GiveUp):
            self._given_up = INSTALLED.stamp()
            self.trouble += "; it is not started again until the code changes"
            note(self.trouble)
        else:
            note(f"{self.trouble}: the next one is started in {verdict.pause:g} s")
            if verdict.pause == 0.0:
                self.begin()
            else:
                self._next = self._loop.later(verdict.pause, self.begin)

    def _forget_next(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _let_go(self, server: ForkServer) -> None:
        self._server = None
        self._loop.unwatch(server.channel.fileno())
        server.end()


def _fork(server: ForkServer, wanted: Start, title: str) -> int:
    log = open_log(wanted.log)
    hears, says = os.pipe()
    try:
        descriptors = [log, hears, *(descriptor for _, descriptor in wanted.descriptors)]
        names = [name for name, _ in wanted.descriptors]
        arguments = wanted.command[len(_DAEMON) :]
        pid = server.fork(Request(arguments, wanted.environment, title, names, descriptors))
        with contextlib.suppress(BrokenPipeError):  # it was killed already, and ends like any other
            os.write(says, b".")
        return pid
    finally:
        for descriptor in (log, hears, says):
            os.close(descriptor)
