"""The session's own files, while this daemon lives: locks, session.json, run file."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from descartes_core import VERSION, kept
from descartes_core.errors import Conflict, Locked, Refused, Unavailable
from descartes_core.ids import new_id
from descartes_core.session_life import State
from descartes_core.session_record import DaemonInfo, SessionRecord
from descartes_core.times import written
from descartes_local import session_file
from descartes_local.code_stamp import loaded_stamp
from descartes_local.config_pending import PendingWatch
from descartes_local.home import Home
from descartes_local.locks import is_at, lock_directory
from descartes_local.processes import process_of
from descartes_local.run_file import RunFile, remove_run_file, write_run_file

_log = logging.getLogger(__name__)

#: A command that changes session.json holds the lock about as long as a disk needs to sync (seconds).
_PATIENCE = 10.0


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
        #: Who outlives this daemon, for those who read its run file.
        self.keeper = ""
        self.started_at = written(time.time())
        #: The next daemon goes on: nothing that tells of this one is taken back.
        self.is_handed_on = False
        #: What a person should know.
        self.notices: list[str] = []
        self.locks: dict[str, int] = {}
        #: Names are written in a thread, so that a disk that syncs slowly stops no terminal.
        self._writing = threading.RLock()
        self._announced: Endpoints | None = None
        #: What was told of a name that could not be announced.
        self._unannounced: str | None = None
        self._pending = PendingWatch(home, record.id, workspace)

    def lock(self, inherited: Mapping[str, int | None]) -> None:
        """Take the session's locks, or go on with those that were in keeping.

        Raises:
            Locked: another daemon holds one.
            Unavailable: the data directory cannot be locked, or the workspace is gone and none of its agents is kept.

        """
        data = self.home.session(self.record.id)
        scud = self.workspace / ".scud"
        try:
            session_file.refuse_link(self.workspace)
        except OSError as error:
            raise Unavailable(f"{scud}: {error.strerror}") from error
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
            descriptor = lock_directory(directory, patience=_PATIENCE)
        except Locked as error:
            raise Locked(f"another daemon serves {self.workspace}: {error.message}") from None
        except OSError as error:
            self._notice(f"{directory} cannot be locked ({error.strerror}): the data directory's lock alone holds")
            return None
        if descriptor is None:
            self._notice(f"{directory} is on a file system without locks: the data directory's lock alone holds")
        return descriptor

    def read_again(self) -> None:
        """Take up what commands changed until the locks were ours; from here on nobody but us changes it.

        Not asked where the locks were in keeping: nobody could change it lawfully, and agents are waiting.

        Raises:
            Refused: the session was archived.
            Conflict: the workspace is another session's by now.

        """
        try:
            found = session_file.load(self.workspace)
        except session_file.Unreadable:
            return  # set aside, and told, when it is written
        if found is None:
            return
        if found.id != self.record.id:
            raise Conflict(f"{self.workspace} is the workspace of session {found.id} by now")
        if found.status is State.ARCHIVED:
            raise Refused(f"{found.name} is Archived: `descartes sessions unarchive` makes it usable again")
        self.record = replace(self.record, name=found.name, created_at=found.created_at, more=found.more)

    def lock_again(self) -> int | None:
        """Lock the `.scud` that is there now, where the one we locked has vanished; return what is to be kept.

        Raises:
            Locked: somebody else was faster.
            OSError: it cannot be made.

        """
        scud = self.workspace / ".scud"
        session_file.refuse_link(self.workspace)
        scud.mkdir(exist_ok=True)
        before = self.locks.get(kept.LOCK_WORKSPACE)
        if before is not None and is_at(before, scud):
            return None
        if (descriptor := lock_directory(scud)) is not None:
            self.locks[kept.LOCK_WORKSPACE] = descriptor
            if before is not None:
                os.close(before)
        return descriptor

    def is_whole(self) -> bool:
        """Say whether the `.scud` that we locked is there, and tells of this session."""
        held = self.locks.get(kept.LOCK_WORKSPACE)
        if held is not None and not is_at(held, self.workspace / ".scud"):
            return False
        try:
            found = session_file.load(self.workspace)
        except session_file.Unreadable:
            return False
        return found is not None and found.id == self.record.id

    def rename(self, name: str) -> None:
        """Write another name, durably; called in a thread.

        Raises:
            OSError: it cannot be written; the name stays.

        """
        with self._writing:
            self._set_aside_torn()
            record = replace(self.record, name=name)
            session_file.save(self.workspace, record)
            self.record = record
            if self._announced is not None:
                self._announce_name(self._announced)

    def _announce_name(self, endpoints: Endpoints) -> None:
        """Write the name where lists find it; where that cannot be done it is told: session.json has it already."""
        before, self._unannounced = self._unannounced, None
        try:
            self.announce(endpoints)
        except Unavailable as error:
            self._unannounced = f"{error.message}: `ps` still shows the name before"
            self.tell(self._unannounced, instead_of=before)
        else:
            self.notices[:] = [notice for notice in self.notices if notice != before]

    def write_again(self) -> None:
        """Write session.json as it was.

        Raises:
            OSError: it cannot be written.

        """
        with self._writing:
            self._set_aside_torn()
            session_file.save(self.workspace, self.record)

    def tell(self, text: str, instead_of: str | None = None) -> None:
        """Tell people something, in place of what it makes untrue."""
        self.notices[:] = [notice for notice in self.notices if notice != instead_of]
        self._notice(text)

    def _notice(self, text: str) -> None:
        _log.warning("%s", text)
        self.notices.append(text)

    def _set_aside_torn(self) -> None:
        """Rename a session.json that does not tell of a session; it is told, never replaced in silence."""
        why = ""
        try:
            found = session_file.load(self.workspace)
            if found is not None and found.id != self.record.id:
                why = f"it tells of session {found.id}"
        except session_file.Unreadable as error:
            why = str(error)
        if why:
            try:
                aside = session_file.set_aside(self.workspace)
            except OSError:
                self._notice(f"session.json is not used: {why}")
            else:
                self._notice(f"session.json could not be used ({why}); it is kept as {aside.name}")

    def write(self, status: State, endpoints: Endpoints | None = None) -> None:
        """Write session.json anew; where it cannot be written, that is told and the session works."""
        with self._writing:
            self._set_aside_torn()
            self._write(status, endpoints)

    def _write(self, status: State, endpoints: Endpoints | None) -> None:
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
        notice = self._pending.notice()
        return [notice] if notice else []

    def announce(self, endpoints: Endpoints) -> None:
        """Write the run file, by which this daemon is found.

        Raises:
            Unavailable: it cannot be written.

        """
        self._announced = endpoints
        process = process_of(os.getpid())
        assert process is not None, "this process is there"
        run = RunFile(
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
            keeper=self.keeper,
            stamp=loaded_stamp(),
        )
        try:
            write_run_file(self.home, run)
        except OSError as error:
            raise Unavailable(f"{self.home.run_file(run.session_id)} cannot be written: {error.strerror}") from error

    def withdraw(self) -> None:
        """Remove the run file and say that the session is inactive, unless the next daemon is about to go on."""
        if self.is_handed_on:
            return
        with self._writing:
            self._announced = None
            remove_run_file(self.home, self.record.id)
            self.write(State.INACTIVE)
