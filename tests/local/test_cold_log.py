"""A compressed log gives each byte at the offset it had, and says which ones it cannot give."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_local.cold_log import ColdLog, Damaged, Index, block_size, compress, find_cold, front_of_cold


def stored(path: Path, data: bytes, *, first: int = 0, block: int = 100) -> Path:
    """Write these bytes as a compressed log that begins at `first`."""
    places, members = [0], b""
    for start in range(0, len(data), block):
        members += compress(data[start : start + block])
        places.append(len(members))
    path.write_bytes(members + Index(first, first + len(data), block, tuple(places)).as_bytes())
    return path


def said(length: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(length)


@given(length=st.integers(0, 1000), block=st.integers(1, 300), first=st.integers(0, 1 << 60), data=st.data())
def test_any_slice_is_what_it_was(
    tmp_path_factory: pytest.TempPathFactory, length: int, block: int, first: int, data: st.DataObject
) -> None:
    content = said(length)
    path = stored(tmp_path_factory.mktemp("cold") / "output.cold", content, first=first, block=block)
    with ColdLog(path) as cold:
        for _ in range(5):
            begin = data.draw(st.integers(0, length))
            limit = data.draw(st.integers(0, length + 10))
            assert cold.read(first + begin, limit) == content[begin : begin + limit]
    assert find_cold(path, first)[0] == first + length


def test_every_gunzip_reads_it(tmp_path: Path) -> None:
    assert gzip.decompress(stored(tmp_path / "output.cold", said(1000)).read_bytes()) == said(1000)


def test_the_largest_index_fits() -> None:
    assert block_size(1) == block_size(262_144 * 16_000) == 262_144
    assert block_size(262_144 * 16_000 + 1) == 524_288
    assert len(Index(0, 16_000, 1, tuple(range(16_001))).as_bytes()) < 65_600


def test_a_harmed_block_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = stored(tmp_path / "output.cold", said(1000))
    with ColdLog(path) as cold:
        place = cold.place_of(300)
    with path.open("r+b") as file:
        file.seek(place + 30)
        file.write(b"harm")
    with ColdLog(path) as cold:
        assert cold.read(250, 1000) == said(1000)[250:300]
        with pytest.raises(Damaged) as told:
            cold.read(310, 10)
        assert (told.value.begin, told.value.end) == (300, 400)
        assert cold.read(400, 1000) == said(1000)[400:]


@pytest.mark.parametrize("length", [0, 1, 13, 14, 40, 700])
def test_a_torn_file_is_told(tmp_path: Path, length: int) -> None:
    path = stored(tmp_path / "output.cold", said(1000))
    os.truncate(path, length)
    with pytest.raises(Damaged):
        ColdLog(path)
    assert find_cold(path, 7) == (7, 0)
    assert front_of_cold(path, 7) is None


@given(st.binary(max_size=300))
def test_no_bytes_escape_as_anything_else(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    path = tmp_path_factory.mktemp("cold") / "output.cold"
    whole = stored(path, said(200)).read_bytes()
    path.write_bytes(whole[: len(whole) - len(tail)] + tail)
    try:
        with ColdLog(path) as cold:
            cold.read(0, 200)
    except Damaged:
        return


def test_a_pipe_by_its_name_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "output.cold")
    with pytest.raises(FileNotFoundError):
        ColdLog(tmp_path / "output.cold")


def test_what_is_not_needed_any_more_is_named(tmp_path: Path) -> None:
    path = stored(tmp_path / "output.cold", said(1000))
    with ColdLog(path) as cold:
        wanted = cold.place_of(250)
        assert wanted == cold.place_of(200) > cold.place_of(199)
    assert front_of_cold(path, 250) == wanted
    assert find_cold(path, 250)[1] < find_cold(path, 0)[1]
    assert front_of_cold(path, 1000) is None
    assert not path.exists()
