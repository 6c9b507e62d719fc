"""Write an export of a session, piece by piece and in little memory."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from typing import Any, Protocol

from descartes_local.archive_form import (
    BLOCK,
    FORM,
    MANIFEST,
    MOST_EXTENTS,
    PIECE,
    SHORTEST_HOLE,
    Extent,
    joined,
    padding,
    sparse_map,
)

_ZEROS = bytes(PIECE)


class Sink(Protocol):
    """Where it goes."""

    def write(self, piece: bytes, /) -> int:
        """Write a piece."""


class ArchiveWriter:
    """Writes parts one after the other; without `finish` it is no export."""

    def __init__(self, file: Sink, moment: float) -> None:
        self._file, self._moment = file, int(moment)
        self._all = hashlib.sha256()
        self._part = hashlib.sha256()
        self._parts: list[dict[str, Any]] = []
        #: Bytes written.
        self.size = 0

    def json(self, name: str, value: Any) -> None:
        """Write a value as a part."""
        content = json.dumps(value, indent=2).encode() + b"\n"
        self._begin(name, len(content))
        self._write(content)
        self._end(name, len(content), len(content))

    def file(self, name: str, descriptor: int, size: int) -> None:
        """Write what a file has, up to this size; its holes stay holes.

        What is punched out or cut off meanwhile is written as zeros: whoever did so has told first that it is gone.
        """
        extents = extents_of(descriptor, size)
        is_dense = extents == ([Extent(0, size)] if size else [])
        if not is_dense and (not extents or sum(extents[-1]) < size):
            extents.append(Extent(size, 0))  # else tar ends the file with its last byte that is none of a hole
        before = b"" if is_dense else sparse_map(extents)
        stored = len(before) + sum(extent.length for extent in extents)
        self._begin(name, stored, None if is_dense else size)
        self._write(before)
        for extent in extents:
            for piece in _pieces(descriptor, extent):
                self._write(piece)
        self._end(name, size, stored)

    def finish(self, **about: Any) -> dict[str, Any]:
        """Write what all must be like, and return it."""
        manifest = {"form": FORM, **about, "parts": self._parts, "sha256": self._all.hexdigest()}
        self.json(MANIFEST, manifest)
        self._put(bytes(2 * BLOCK))
        return manifest

    def _begin(self, name: str, stored: int, size: int | None = None) -> None:
        about = tarfile.TarInfo(name)
        about.size, about.mtime, about.mode = stored, self._moment, 0o600
        if size is not None:
            about.name = f"GNUSparseFile.0/{name}"
            about.pax_headers = {
                "GNU.sparse.major": "1",
                "GNU.sparse.minor": "0",
                "GNU.sparse.name": name,
                "GNU.sparse.realsize": str(size),
            }
        self._put(about.tobuf(tarfile.PAX_FORMAT))
        self._part = hashlib.sha256()

    def _write(self, piece: bytes) -> None:
        self._part.update(piece)
        self._put(piece)

    def _put(self, piece: bytes) -> None:
        self._all.update(piece)
        self._file.write(piece)
        self.size += len(piece)

    def _end(self, name: str, size: int, stored: int) -> None:
        self._put(padding(stored))
        self._parts.append({"name": name, "size": size, "stored": stored, "sha256": self._part.hexdigest()})


def extents_of(descriptor: int, size: int) -> list[Extent]:
    """Return where a file has something, up to this size."""
    found: list[Extent] = []
    for extent in _data(descriptor, size):
        if found and extent.begin - sum(found[-1]) < SHORTEST_HOLE:
            found[-1] = Extent(found[-1].begin, extent.begin + extent.length - found[-1].begin)
        else:
            found.append(extent)
        if len(found) > 2 * MOST_EXTENTS:
            found = joined(found)
    return joined(found)


def _data(descriptor: int, size: int) -> Iterator[Extent]:
    begin = 0
    while begin < size:
        try:
            begin = os.lseek(descriptor, begin, os.SEEK_DATA)
            end = min(os.lseek(descriptor, begin, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole behind it
                return
            end = size  # a file system that knows no holes
        if begin >= size:
            return
        yield Extent(begin, end - begin)
        begin = end


def _pieces(descriptor: int, extent: Extent) -> Iterator[bytes]:
    begin, end = extent.begin, sum(extent)
    while begin < end:
        wanted = min(PIECE, end - begin)
        piece = os.pread(descriptor, wanted, begin) or _ZEROS[:wanted]
        yield piece
        begin += len(piece)
