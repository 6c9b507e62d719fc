"""Exports of sessions, as we write them and as nobody should."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from descartes_local.archive_form import ABOUT, FORM
from descartes_local.archive_writing import ArchiveWriter

AGENT = "12345678-1234-1234-1234-123456789abc"
LOG = f"agents/{AGENT}/output.log"


@contextmanager
def opened(path: Path, size: int = 0, **pieces: bytes) -> Iterator[int]:
    """Give a file of this size with some pieces in it, named by where they begin (`at_17`)."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    for name, data in pieces.items():
        os.pwrite(descriptor, data, int(name.removeprefix("at_")))
    os.ftruncate(descriptor, max(size, os.fstat(descriptor).st_size))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def archive(directory: Path, size: int = 0, **pieces: bytes) -> bytes:
    """Return an export with one log."""
    out = io.BytesIO()
    writer = ArchiveWriter(out, 1_700_000_000.0)
    writer.json(ABOUT, {"form": FORM})
    with opened(directory / "log", size, **pieces) as descriptor:
        writer.file(LOG, descriptor, os.fstat(descriptor).st_size)
    writer.finish()
    return out.getvalue()


def forged(*members: tuple[tarfile.TarInfo | str, bytes], form: object = FORM) -> bytes:
    """Return a tar file of such members behind what an export begins with; there is no manifest."""
    out = io.BytesIO()
    writer = ArchiveWriter(out, 1_700_000_000.0)
    writer.json(ABOUT, {"form": form})
    for about, data in members:
        info = tarfile.TarInfo(about) if isinstance(about, str) else about
        info.size = info.size or len(data)
        out.write(info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512))
    out.write(bytes(1024))
    return out.getvalue()
