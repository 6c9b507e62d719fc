"""What is asked of a session that goes elsewhere, or takes in what comes from there."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

from descartes_core.errors import AlreadyExists, ArchiveInvalid, Refused, Unavailable
from descartes_core.messages.transfer import ExportSession, ImportOriginal
from descartes_core.session_record import SessionRecord
from descartes_daemon.asking import Asking
from descartes_daemon.ground import Ground
from descartes_daemon.transfer.exporting import Watched, export
from descartes_daemon.transfer.placing import placed
from descartes_daemon.transfer.taking import take_original
from descartes_local import session_file
from descartes_local.archive_reading import ArchiveReader

Reply = dict[str, Any]


def open_room(ground: Ground) -> Transfer:
    """Return what answers."""
    return Transfer(ground)


class Transfer:
    """Exports, one at a time."""

    def __init__(self, ground: Ground) -> None:
        self._setup, self._store = ground.setup, ground.store
        self._data = ground.setup.home.session(ground.setup.record.id)
        self._turn = asyncio.Lock()
        self._is_over = threading.Event()

    async def export(self, request: ExportSession, asking: Asking) -> Reply:
        """session.export: write it all into one file."""
        async with self._turn:
            return await asyncio.to_thread(self._export, Path(request.path), asking.id, replace=request.replace)

    async def import_original(self, request: ImportOriginal, asking: Asking) -> Reply:
        """state.import: take in a database of the original."""
        async with self._turn:
            return await take_original(self._store, request, asking)

    async def close(self) -> None:
        """Let who writes give up; its file is not there then."""
        self._is_over.set()

    def _export(self, path: Path, request_id: str | None, *, replace: bool) -> Reply:
        if path.is_dir():
            raise Refused(f"{path} is a directory: name the file that is to be written")
        try:
            with placed(path, replace=replace) as file:
                about = export(self._record(), self._data, Watched(file, self._go_on), request_id)
                size = file.tell()
        except AlreadyExists:
            if (made := _made_by(path, request_id)) is None:
                raise
            about, size = made, path.stat().st_size
        except (OSError, sqlite3.Error) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise Unavailable(f"{path} cannot be written: {why or error}") from error
        return {
            "path": str(path),
            "bytes": size,
            "agents": about["agents"],
            "exported_at": about["exported_at"],
            "session_id": self._setup.record.id,
        }

    def _record(self) -> SessionRecord:
        try:
            found = session_file.load(self._setup.workspace)
        except session_file.Unreadable:
            found = None
        return found if found is not None and found.id == self._setup.record.id else self._setup.record

    def _go_on(self) -> None:
        if self._is_over.is_set():
            raise Unavailable("the daemon has ended meanwhile")


def _made_by(path: Path, request_id: str | None) -> Reply | None:
    """Return what a file says it is that this very request has made, whose answer was lost."""
    if request_id is None:
        return None
    try:
        with open(path, "rb") as file:
            reader = ArchiveReader(file)
            next(reader.parts(), None)
    except (OSError, ArchiveInvalid):
        return None
    return reader.about if reader.about.get("request_id") == request_id else None
