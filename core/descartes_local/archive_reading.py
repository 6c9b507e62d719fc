"""Read an export of a session, which anybody may have made.

Nothing in it is believed before it is checked. Python's own reader of tar files would follow links, read headers of any
size into memory and take any name. Here a file holds what an export holds, in its form, or it is refused.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from descartes_core.errors import ArchiveInvalid
from descartes_local.archive_form import (
    ABOUT,
    BLOCK,
    FORM,
    LARGEST_FILE,
    LARGEST_HEADER,
    LARGEST_JSON,
    MANIFEST,
    MOST_EXTENTS,
    PART,
    PIECE,
    STATE,
    Extent,
)

_SPARSE = "GNUSparseFile.0/"
_END = bytes(BLOCK)
#: Digits of what 64 bits hold.
_LONGEST_NUMBER = 19


class Piece(NamedTuple):
    """Bytes of a part, and where they stand in it."""

    begin: int
    data: bytes


class Part:
    """One part; its pieces are read once, before the next one."""

    def __init__(self, reader: ArchiveReader, name: str, size: int, stored: int, *, is_sparse: bool) -> None:
        self._reader, self.name, self.size, self.stored, self._is_sparse = reader, name, size, stored, is_sparse

    def pieces(self) -> Iterator[Piece]:
        """Yield what is in it, in order; between them are holes."""
        extents = self._reader.sparse_extents(self) if self._is_sparse else [Extent(0, self.size)]
        for begin, length in extents:
            for at in range(begin, begin + length, PIECE):
                yield Piece(at, self._reader.take(min(PIECE, begin + length - at)))

    def json(self) -> dict[str, Any]:
        """Return it as the object that it is."""
        if self._is_sparse or self.size > LARGEST_JSON:
            raise ArchiveInvalid(f"{self.name} is too large")
        try:
            value = json.loads(b"".join(piece.data for piece in self.pieces()))
        except (ValueError, RecursionError) as error:
            raise ArchiveInvalid(f"{self.name} is not JSON") from error
        if not isinstance(value, dict):
            raise ArchiveInvalid(f"{self.name} holds no object")
        return value


class ArchiveReader:
    """Walks over the parts of one file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._all, self._part = hashlib.sha256(), hashlib.sha256()
        self._left = 0
        self._seen: list[dict[str, Any]] = []
        #: What the file says it is.
        self.about: dict[str, Any] = {}
        #: What all must be like; once it was held against what was read.
        self.manifest: dict[str, Any] = {}

    def parts(self) -> Iterator[Part]:
        """Yield the parts that are to be kept; when they are over, everything has been checked.

        Raises:
            ArchiveInvalid: it is no export of a session, or not all of one, or it was changed.

        """
        first = self._next()
        if first is None or first.name != ABOUT:
            raise ArchiveInvalid("this is no export of a session")
        self.about = first.json()
        if self.about.get("form") != FORM:
            raise ArchiveInvalid(
                f"its form is {self.about.get('form')!r}, and this Descartes knows {FORM}: use its own"
            )
        self._finish(first)
        names: set[str] = set()
        while True:
            whole = self._all.hexdigest()
            part = self._next()
            if part is None:
                raise ArchiveInvalid("it has no manifest: it is not whole")
            if part.name == MANIFEST:
                self._check(part.json(), whole)
                self._finish(part)
                return
            if part.name in names or not (part.name == STATE or PART.fullmatch(part.name)):
                raise ArchiveInvalid(f"{part.name[:200]!r} has no place in an export")
            names.add(part.name)
            yield part
            self._finish(part)

    def _finish(self, part: Part) -> None:
        if self._left:
            raise ArchiveInvalid(f"{part.name}: its pieces are fewer than it has bytes")
        found = {"name": part.name, "size": part.size, "stored": part.stored, "sha256": self._part.hexdigest()}
        self._seen.append(found)
        if any(padded := self._read(-part.stored % BLOCK)):
            raise ArchiveInvalid(f"{part.name}: {len(padded)} bytes follow it that belong nowhere")

    def _check(self, manifest: dict[str, Any], whole: str) -> None:
        listed = manifest.get("parts")
        if manifest.get("sha256") != whole or listed != self._seen:
            named = (
                {one.get("name"): one for one in listed if isinstance(one, dict)} if isinstance(listed, list) else {}
            )
            wrong = [one["name"] for one in self._seen if named.get(one["name"]) != one]
            told = f"{', '.join(wrong[:3])} is not" if wrong else "its parts are not"
            raise ArchiveInvalid(f"{told} what the manifest says: it was damaged or changed")
        self.manifest = manifest

    def _next(self) -> Part | None:
        """Read a header; None at the end."""
        about: dict[str, str] = {}
        header = self._header()
        if header is not None and header.type == tarfile.XHDTYPE:
            if header.size > LARGEST_HEADER:
                raise ArchiveInvalid("a header is too large")
            about = _records(self._read(header.size))
            self._read(-header.size % BLOCK)
            header = self._header()
        if header is None:
            return None
        if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise ArchiveInvalid(f"{header.name[:200]!r} is no plain file")
        return self._begun(header, about)

    def _begun(self, header: tarfile.TarInfo, about: dict[str, str]) -> Part:
        stored = _number(about["size"]) if "size" in about else header.size
        is_sparse = header.name.startswith(_SPARSE)
        name = about.get("GNU.sparse.name", "") if is_sparse else header.name
        size = _number(about.get("GNU.sparse.realsize", "")) if is_sparse else stored
        if not 0 <= stored <= LARGEST_FILE or size > LARGEST_FILE:
            raise ArchiveInvalid(f"{name[:200]!r} is too large")
        self._part, self._left = hashlib.sha256(), stored
        return Part(self, name, size, stored, is_sparse=is_sparse)

    def _header(self) -> tarfile.TarInfo | None:
        block = self._read(BLOCK)
        if block == _END:
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise ArchiveInvalid("this is no export of a session, or it is damaged") from error

    def sparse_extents(self, part: Part) -> list[Extent]:
        """Read where the data of a file with holes belongs."""
        numbers = self._numbers()
        count = next(numbers)
        if count > MOST_EXTENTS:
            raise ArchiveInvalid(f"{part.name} is in too many pieces")
        extents, end = [], 0
        for _ in range(count):
            begin, length = next(numbers), next(numbers)
            if not end <= begin <= begin + length <= part.size:
                raise ArchiveInvalid(f"{part.name}: its pieces are not in order")
            extents.append(Extent(begin, length))
            end = begin + length
        if sum(extent.length for extent in extents) != self._left:
            raise ArchiveInvalid(f"{part.name}: its pieces are not as long as it says")
        return extents

    def _numbers(self) -> Iterator[int]:
        pending = b""
        while True:
            *lines, pending = (pending + self.take(BLOCK)).split(b"\n")
            yield from (_number(line.decode("ascii", "replace")) for line in lines)
            if len(pending) > _LONGEST_NUMBER:
                raise ArchiveInvalid("where the data of a part belongs cannot be read")

    def take(self, count: int) -> bytes:
        """Return so many bytes of the part."""
        if count > self._left:
            raise ArchiveInvalid("a part is shorter than it says")
        self._left -= count
        data = self._read(count)
        self._part.update(data)
        return data

    def _read(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise ArchiveInvalid("it is cut short")
        self._all.update(data)
        return data


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise ArchiveInvalid("a number in it cannot be read")
    return int(text)


def _records(data: bytes) -> dict[str, str]:
    """Return what an extended header says."""
    found: dict[str, str] = {}
    while data:
        length, _, _ = data.partition(b" ")
        size = _number(length.decode("ascii", "replace"))
        record, data = data[len(length) + 1 : size], data[max(size, 1) :]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise ArchiveInvalid("a header cannot be read")
        found[key.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "replace")
    return found
