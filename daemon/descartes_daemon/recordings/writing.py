"""Write a recording that came from elsewhere as the log of an agent."""

from __future__ import annotations

import io
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from descartes_core.recordings.cast_file import LONGEST_LINE, CastFile
from descartes_daemon.output_index import Record
from descartes_local.json_file import sync_directory
from descartes_local.probe import reached

#: What is read in one go; then others have a turn for so long (seconds).
_PIECE, _PAUSE = 262_144, 0.001
#: More of what was typed is not kept of one recording.
MOST_INPUTS, _MOST_TYPED = 10_000, 4 * 1024 * 1024


class TooMuch(ValueError):
    """It is larger than an agent's output may be."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    cast: CastFile
    size: int
    inputs: list[tuple[float, bytes]]


def write(source: BinaryIO, directory: Path, *, began: float, most: int, over: threading.Event) -> Written:
    """Write log and index into a new directory, to the disk; called in a thread.

    Raises:
        WrongCast: it is none.
        TooMuch: it is too large.
        OSError: it cannot be read or written.

    """
    directory.mkdir(mode=0o700)
    cast = CastFile(_lines(source, over), began=began)
    inputs: list[tuple[float, bytes]] = []
    with _new(directory / "output.log") as log, _new(directory / "output.idx") as index:
        size = typed = 0
        for moment in cast.moments():
            if moment.kind == "in":
                typed += len(moment.data)
                if len(inputs) < MOST_INPUTS and typed < _MOST_TYPED:
                    inputs.append((moment.at, moment.data))
                else:
                    cast.left_out["input"] += 1
                continue
            size += log.write(moment.data)
            if most and size > most:
                raise TooMuch(f"it has more output than output.agent_cap allows ({most} bytes)")
            index.write(Record(moment.at, size, *cast.size).as_bytes())
        for file in (log, index):
            file.flush()
            os.fsync(file.fileno())
    sync_directory(directory)
    return Written(cast, size, inputs)


def _new(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _lines(source: BinaryIO, over: threading.Event) -> Iterator[str]:
    """Walk over the lines; one that is too long is told by who reads it."""
    text = io.TextIOWrapper(source, encoding="utf-8", errors="replace", newline="\n")
    read = 0
    while line := text.readline(LONGEST_LINE + 1):
        yield line
        read += len(line)
        if read > _PIECE:
            read = 0
            reached("recording.writing")
            if over.wait(_PAUSE):
                raise InterruptedError("the daemon is ending")


def remove(directory: Path) -> None:
    """Remove what was begun, where it is."""
    shutil.rmtree(directory, ignore_errors=True)
