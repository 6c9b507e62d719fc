"""Write a session into one file: its rows, what its agents said, and what it is.

The rows are taken at one moment, then each log up to the size that it has after that: so of every agent that has ended
by its row all that it said is there. What is dropped meanwhile is written down in the copy's rows, too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descartes_core import VERSION
from descartes_core.session_record import SessionRecord
from descartes_core.times import written
from descartes_daemon.transfer.rows import copy_rows
from descartes_local.archive_form import ABOUT, FORM, PART, STATE
from descartes_local.archive_writing import ArchiveWriter, Sink
from descartes_local.probe import reached
from descartes_local.regular_file import NotRegular, open_regular

#: What a killed daemon leaves of an export in the session's data, for the next one to remove.
_ASIDE = ".export-"


@dataclass(frozen=True, slots=True)
class Watched:
    """A file that is written to only while that is wanted."""

    file: Sink
    #: Raises when it is not any more.
    go_on: Callable[[], None]

    def write(self, piece: bytes) -> int:
        """Write a piece."""
        self.go_on()
        return self.file.write(piece)


def export(record: SessionRecord, data: Path, file: Sink, request_id: str | None) -> dict[str, Any]:
    """Write a session whose data lies here, and return what the file says it is; in a thread.

    Raises:
        OSError, sqlite3.Error: something cannot be read or written.

    """
    now = time.time()
    with _aside(data) as directory:
        copy = directory / STATE
        copy_rows(data / STATE, copy, lambda _connection: None)
        reached("export.rows_copied")
        agents = _agents(copy)
        writer = ArchiveWriter(file, now)
        about = {
            "form": FORM,
            "made_by": f"descartes {VERSION}",
            "exported_at": written(now),
            "request_id": request_id,
            "agents": len(agents),
            "session": record.as_json(),
        }
        writer.json(ABOUT, about)
        for agent in agents:
            _write_outputs(writer, data, agent)
        reached("export.logs_written")
        _take_up_drops(copy, data / STATE)
        _write_file(writer, STATE, copy)
        writer.finish()
    return about


@contextlib.contextmanager
def _aside(data: Path) -> Iterator[Path]:
    for left in data.glob(f"{_ASIDE}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_ASIDE, dir=data) as directory:
        yield Path(directory)


def _agents(copy: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        return [identity for (identity,) in connection.execute("SELECT id FROM agents ORDER BY created_at, id")]


def _write_outputs(writer: ArchiveWriter, data: Path, agent: str) -> None:
    directory = data / "agents" / agent
    with contextlib.suppress(FileNotFoundError):
        # Logs first: what is moved out of one meanwhile is in another file before it goes, one that may be new by then.
        for is_log in (True, False):
            for name in sorted(os.listdir(directory)):
                is_part = name.endswith(".log") is is_log and not name.endswith(".new")
                if is_part and PART.fullmatch(part := f"agents/{agent}/{name}"):
                    _write_file(writer, part, directory / name)


def _write_file(writer: ArchiveWriter, name: str, path: Path) -> None:
    try:
        descriptor = open_regular(path)
    except (FileNotFoundError, NotRegular):  # collected meanwhile
        return
    try:
        writer.file(name, descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _take_up_drops(copy: Path, state: Path) -> None:
    """Let the copy know what was dropped since: it may have been read as zeros."""
    with contextlib.closing(sqlite3.connect(copy, uri=True)) as connection:
        connection.execute("ATTACH ? AS source", (f"{state.absolute().as_uri()}?mode=ro",))
        with connection:
            connection.execute("""
                UPDATE main.agents AS ours
                SET output_from = now.output_from, errors_from = now.errors_from, collected_at = now.collected_at
                FROM source.agents AS now WHERE now.id = ours.id
            """)
