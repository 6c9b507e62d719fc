"""The session's own files, while this daemon lives: locks, session.json, run file."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from descartes_core import VERSION, kept
from descartes_core.errors import Locked, Unavailable
from descartes_core.ids import new_id
from descartes_core.session_life import State
from descartes_core.session_record import DaemonInfo, SessionRecord
from descartes_core.times import written
from descartes_local import session_file
from descartes_local.config_pending import pending_changes
from descartes_local.home import Home
from descartes_local.locks import is_at, lock_directory
from descartes_local.processes import process_of
from descartes_local.run_file import RunFile, remove_run_file, write_run_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where this daemon listens."""

    host: str
    http_port: int
    ws_port: int
    socket: str

    @property
    def http(self) -> str:
        """The HTTP door, as session.json has it."""
        return f"http://{self.host}:{self.http_port}"

    @property
    def ws(self) -> str:
        """The WebSocket door."""
        return f"ws://{self.host}:{self.ws_port}"


class Upkeep:
    """Holds the session's lock, and writes what only its holder may write."""

    def __init__(self, home: Home, workspace: Path, record: SessionRecord) -> None:
        self.home = home
        self.workspace = workspace
        self.record = record
        self.instance_id = new_id()
        self.started_at = written(time.time())
        #: What a person should know.
        self.notices: list[str] = []
        self.locks: dict[str, int] = {}

    def lock(self, inherited: Mapping[str, int | None]) -> None:
        """Take the session's locks, or go on with those that were in keeping.

        Raises:
            Locked: another daemon holds one.
            Unavailable: the data directory cannot be locked, or the workspace is gone and none of its agents is kept.

        """
        data = self.home.session(self.record.id)
        scud = self.workspace / ".scud"
        try:
            scud.mkdir(exist_ok=True)
        except OSError as error:
            if not self.workspace.is_dir() and inherited.get(kept.LOCK_DATA) is None:
                raise Unavailable(f"{self.workspace} is no directory (any more)") from error
            self._notice(f".scud cannot be written ({error.strerror}): session.json stays as it is")
        for name, directory in ((kept.LOCK_DATA, data), (kept.LOCK_WORKSPACE, scud)):
            if (descriptor := self._locked(inherited.get(name), directory)) is not None:
                self.locks[name] = descriptor
        if kept.LOCK_DATA not in self.locks:
            raise Unavailable(f"{data} is on a file system without locks: set DESCARTES_HOME to another one")

    def _locked(self, inherited: int | None, directory: Path) -> int | None:
        if inherited is not None and is_at(inherited, directory):
            return inherited
        if inherited is not None:
            os.close(inherited)
        try:
            descriptor = lock_directory(directory)
        except Locked as error:
            raise Locked(f"another daemon serves {self.workspace}: {error.message}") from None
        except OSError as error:
            self._notice(f"{directory} cannot be locked ({error.strerror}): the data directory's lock alone holds")
            return None
        if descriptor is None:
            self._notice(f"{directory} is on a file system without locks: the data directory's lock alone holds")
        return descriptor

    def _notice(self, text: str) -> None:
        _log.warning("%s", text)
        self.notices.append(text)

    def _set_aside_torn(self) -> None:
        """Rename a session.json that does not tell of a session; it is told, never replaced in silence."""
        try:
            session_file.load(self.workspace)
        except session_file.Unreadable as error:
            try:
                aside = session_file.set_aside(self.workspace)
            except OSError:
                self._notice(f"session.json is not used: {error}")
            else:
                self._notice(f"session.json could not be used ({error}); it is kept as {aside.name}")

    def write(self, status: State, endpoints: Endpoints | None = None) -> None:
        """Write session.json anew; where it cannot be written, that is told and the session works."""
        self._set_aside_torn()
        info = None
        record = self.record
        if endpoints is not None:
            info = DaemonInfo(os.getpid(), endpoints.http, endpoints.ws, self.started_at)
            record = record.with_ports(endpoints.http_port, endpoints.ws_port)
        accessed = self.started_at if status is State.ACTIVE else record.last_accessed
        self.record = replace(record, status=status, daemon_info=info, last_accessed=accessed)
        try:
            session_file.save(self.workspace, self.record)
        except OSError as error:
            if not any("session.json" in notice for notice in self.notices):
                self._notice(f"session.json cannot be written: {error.strerror}")

    def pending(self) -> list[str]:
        """Return what a person should know of a configuration that was changed since the start."""
        notice = pending_changes(self.home, self.record.id, self.workspace).notice
        return [notice] if notice else []

    def announce(self, endpoints: Endpoints) -> None:
        """Write the run file, by which this daemon is found."""
        process = process_of(os.getpid())
        assert process is not None, "this process is there"
        write_run_file(
            self.home,
            RunFile(
                session_id=self.record.id,
                name=self.record.name,
                path=str(self.workspace),
                pid=process.pid,
                process_started=process.started,
                instance_id=self.instance_id,
                http_endpoint=endpoints.http,
                ws_endpoint=endpoints.ws,
                socket=endpoints.socket,
                started_at=self.started_at,
                version=VERSION,
            ),
        )

    def withdraw(self) -> None:
        """Remove the run file and say that the session is inactive."""
        remove_run_file(self.home, self.record.id)
        self.write(State.INACTIVE)
