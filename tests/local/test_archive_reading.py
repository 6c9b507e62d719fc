"""What anybody may have made is taken in whole and unchanged, or not at all."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import ArchiveInvalid
from descartes_local.archive_reading import ArchiveReader
from tests.support.archives import AGENT, LOG, archive, forged


def read(data: bytes) -> ArchiveReader:
    reader = ArchiveReader(io.BytesIO(data))
    for part in reader.parts():
        for _ in part.pieces():
            pass
    return reader


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, **about: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.pax_headers = kind, size, {key.replace("_", "."): value for key, value in about.items()}
    info.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
    return info


def sparse(data: bytes, **about: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(f"GNUSparseFile.0/{LOG}", GNU_sparse_name=LOG, **about), data


def test_a_whole_one_is_read(tmp_path: Path) -> None:
    reader = read(archive(tmp_path, at_0=b"said", at_9000000=b"more"))
    assert reader.about == {"form": 1}
    assert reader.manifest["parts"][-1]["name"] == LOG


def test_one_that_is_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    data = archive(tmp_path, at_0=b"said" * 200, at_9000000=b"more")
    for end in (0, 1, 511, 512, *range(600, len(data) - 1024, 97)):
        with pytest.raises(ArchiveInvalid):
            read(data[:end])


@given(place=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_one_changed_bit_is_seen(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    whole = archive(tmp_path_factory.mktemp("archive"), at_0=b"said" * 200, at_9000000=b"more")
    data = bytearray(whole)
    data[place % (len(data) - 1024)] ^= 1 << bit
    try:
        reader = read(bytes(data))
    except ArchiveInvalid:
        return
    # Spaces of the manifest say nothing: what it says must be what was read.
    assert reader.manifest["sha256"] == read(whole).manifest["sha256"]


@given(data=st.binary(max_size=3000))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ArchiveInvalid):
        read(data)


@pytest.mark.parametrize(
    ("why", "members"),
    [
        ("no plain file", [(member(LOG, tarfile.SYMTYPE), b"")]),
        ("no plain file", [(member(LOG, tarfile.LNKTYPE), b"")]),
        ("no plain file", [(member(LOG, tarfile.DIRTYPE), b"")]),
        ("no plain file", [(member(LOG, tarfile.FIFOTYPE), b"")]),
        ("no plain file", [(member(LOG, tarfile.CHRTYPE), b"")]),
        ("no place", [("/etc/passwd", b"root")]),
        ("no place", [(f"agents/{AGENT}/../../x", b"x")]),
        ("no place", [("agents/x/output.log", b"x")]),
        ("no place", [("config.toml", b"x")]),
        ("no place", [(LOG, b"x"), (LOG, b"x")]),
        ("no manifest", [(LOG, b"x")]),
        ("cut short", [(member(LOG, size=10**9), b"x")]),
        ("too large", [(member(LOG, size=2**61), b"x")]),
        ("header is too large", [(member("x", tarfile.XHDTYPE, size=10**9), b"")]),
        ("header cannot be read", [(member("x", tarfile.XHDTYPE, size=5), b"5 x=\0")]),
        ("number in it", [(member("x", tarfile.XHDTYPE, size=9), b"x" * 9)]),
        ("too many pieces", [sparse(b"9999999\n" + bytes(504), GNU_sparse_realsize="9")]),
        ("not in order", [sparse(b"2\n512\n1\n0\n1\n" + bytes(502), GNU_sparse_realsize="4096")]),
        ("not in order", [sparse(b"1\n0\n99\n" + bytes(505), GNU_sparse_realsize="9")]),
        ("not as long", [sparse(b"1\n0\n9\n" + bytes(506), GNU_sparse_realsize="9")]),
        ("number in it", [sparse(b"x\n" + bytes(510), GNU_sparse_realsize="9")]),
        ("cannot be read", [sparse(b"9" * 512, GNU_sparse_realsize="9")]),
        ("shorter than", [sparse(b"1\n0\n", GNU_sparse_realsize="9")]),
        ("number in it", [sparse(b"1\n0\n9\n" + bytes(506))]),
        ("too large", [sparse(b"0\n" + bytes(510), GNU_sparse_realsize=str(2**62))]),
        ("no place", [(member("GNUSparseFile.0/x", GNU_sparse_realsize="9"), b"0\n" + bytes(510))]),
    ],
)
def test_what_is_made_to_do_harm_is_refused(why: str, members: list[tuple[tarfile.TarInfo | str, bytes]]) -> None:
    with pytest.raises(ArchiveInvalid, match=why):
        read(forged(*members))


@pytest.mark.parametrize("form", [0, 2, "1", None])
def test_another_form_is_named(form: object) -> None:
    with pytest.raises(ArchiveInvalid, match="its form is"):
        read(forged(form=form))


def test_a_wrong_hash_names_its_part(tmp_path: Path) -> None:
    data = archive(tmp_path, at_0=b"said")
    with pytest.raises(ArchiveInvalid, match=r"output\.log is not what the manifest says"):
        read(data.replace(b"said" + bytes(508), b"sayd" + bytes(508)))


def test_another_tar_file_is_no_export(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        file.add(__file__, "x.py")
    with pytest.raises(ArchiveInvalid, match="no export"):
        read(out.getvalue())
    with pytest.raises(ArchiveInvalid, match="no export"):
        read(b"\x1f\x8b" + bytes(1000))
