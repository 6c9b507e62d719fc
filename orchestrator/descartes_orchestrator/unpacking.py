"""Read an export into a directory of our own, and check all of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from descartes_core.errors import ArchiveInvalid, Unavailable, from_wire
from descartes_local.archive_form import STATE
from descartes_local.archive_reading import ArchiveReader, Part
from descartes_local.json_file import sync_directory
from descartes_orchestrator.supervisor.start import python

#: The daemon's own program for rows: whoever writes a database knows how one must be.
_RECEIVE = "descartes_daemon.transfer.receive"
#: What it reads.
_INCOMING = "incoming.db"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was in it."""

    #: What the file says it is.
    about: dict[str, Any]
    agents: int
    #: Agents that lived when it was written.
    lost: list[dict[str, str]]


def unpack(archive: IO[bytes], directory: Path, size: int, progress: Callable[[int, int], None]) -> Unpacked:
    """Put what is in it into the directory.

    Raises:
        ArchiveInvalid: it is no export, or damaged, or made to do harm.
        Unavailable: it cannot be written.
        OSError: likewise.

    """
    reader = ArchiveReader(archive)
    for part in reader.parts():
        _write(
            part, directory / (_INCOMING if part.name == STATE else part.name), lambda: progress(archive.tell(), size)
        )
    if not (directory / _INCOMING).exists():
        raise ArchiveInvalid("it has no rows")
    told = _receive(directory, reader.about)
    for place in sorted(directory.glob("agents/*")):
        sync_directory(place)
    sync_directory(directory)
    return Unpacked(reader.about, told["agents"], told["lost"])


def _write(part: Part, path: Path, wrote: Callable[[], None]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, part.size)
        for begin, data in part.pieces():
            os.pwrite(descriptor, data, begin)
            wrote()
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _receive(directory: Path, about: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [*python(_RECEIVE), str(directory)], input=json.dumps(about).encode(), capture_output=True, check=False
    )
    try:
        told: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise Unavailable(
            f"the rows cannot be taken in: {''.join(last) or f'it ended with {done.returncode}'}"
        ) from None
    if "error" in told:
        raise from_wire(*told["error"])
    return told
