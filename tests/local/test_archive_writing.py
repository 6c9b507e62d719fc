"""An export is a tar file that others read, with its holes, in little memory."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from descartes_local.archive_form import SHORTEST_HOLE, Extent
from descartes_local.archive_reading import ArchiveReader
from descartes_local.archive_writing import ArchiveWriter, extents_of
from tests.support.archives import LOG, archive, opened

_GIB = 1024**3


def test_other_programs_read_it_and_its_holes_stay_holes(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(archive(tmp_path, 5 * _GIB, at_0=b"begin", at_3221225472=b"in the middle"))
    assert (tmp_path / "x.tar").stat().st_size < 100_000
    subprocess.run(["tar", "-xf", "x.tar"], cwd=tmp_path, check=True)
    found = (tmp_path / LOG).stat()
    assert (found.st_size, found.st_blocks * 512 < 100_000) == (5 * _GIB, True)
    with (tmp_path / LOG).open("rb") as file:
        assert file.read(5) == b"begin"
        file.seek(3 * _GIB)
        assert file.read(14) == b"in the middle\0"


def test_python_reads_what_has_no_holes(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(tmp_path, at_0=b"said"))) as file:
        assert file.extractfile(LOG).read() == b"said"  # type: ignore[union-attr]
        manifest = json.load(file.extractfile("manifest.json"))  # type: ignore[arg-type]
    assert [part["name"] for part in manifest["parts"]] == ["descartes-session.json", LOG]


def test_what_is_cut_off_meanwhile_is_zeros(tmp_path: Path) -> None:
    out = io.BytesIO()
    writer = ArchiveWriter(out, 0.0)
    writer.json("descartes-session.json", {"form": 1})
    with opened(tmp_path / "log", at_0=b"said") as descriptor:
        writer.file(LOG, descriptor, 10)
    writer.finish()
    (part,) = [b"".join(piece.data for piece in part.pieces()) for part in reader_of(out.getvalue()).parts()]
    assert part[:4] == b"said"


def reader_of(data: bytes) -> ArchiveReader:
    return ArchiveReader(io.BytesIO(data))


def test_all_of_a_hole_is_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "log", 10 * _GIB) as descriptor:
        assert extents_of(descriptor, 10 * _GIB) == []
    with opened(tmp_path / "log2", at_0=b"x" * 5000) as descriptor:
        assert extents_of(descriptor, 100) == [Extent(0, 100)]


@given(
    pieces=st.dictionaries(st.integers(0, 40), st.binary(min_size=1, max_size=9000), max_size=4), tail=st.integers(0, 3)
)
def test_what_was_written_is_read(tmp_path_factory: object, pieces: dict[int, bytes], tail: int) -> None:
    directory = tmp_path_factory.mktemp("archive")  # type: ignore[attr-defined]
    named = {f"at_{place * SHORTEST_HOLE // 3}": data for place, data in pieces.items()}
    data = archive(directory, tail * SHORTEST_HOLE, **named)
    said = (directory / "log").read_bytes()
    found = bytearray(len(said))
    reader = reader_of(data)
    for part in reader.parts():
        assert (part.name, part.size) == (LOG, len(said))
        for begin, piece in part.pieces():
            found[begin : begin + len(piece)] = piece
    assert bytes(found) == said
    assert reader.manifest["parts"][1]["size"] == os.path.getsize(directory / "log")
