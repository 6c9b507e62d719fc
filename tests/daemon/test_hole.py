"""The front of a file is given back, and its offsets stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from descartes_daemon import hole


def test_a_punched_front_takes_no_room(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x" * 20_000_000 + b"the end")
    descriptor = os.open(file, os.O_RDWR)
    try:
        assert hole.can_punch(descriptor)
        assert not hole.is_punched(descriptor, 20_000_000)
        hole.punch(descriptor, 0, 20_000_000)
        hole.punch(descriptor, 0, 20_000_000)
        assert hole.is_punched(descriptor, 20_000_000)
        assert os.fstat(descriptor).st_size == 20_000_007
        assert os.fstat(descriptor).st_blocks * 512 < 100_000
        assert os.pread(descriptor, 100, 20_000_000) == b"the end"
    finally:
        os.close(descriptor)


def test_a_file_of_holes_only_is_punched(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.touch()
    os.truncate(file, 1_000_000)
    descriptor = os.open(file, os.O_RDWR)
    assert hole.is_punched(descriptor, 500_000)
    os.close(descriptor)


def test_where_it_cannot_be_done_it_is_said() -> None:
    """A pipe stands for every file system without holes."""
    out, into = os.pipe()
    assert not hole.can_punch(into)
    with pytest.raises(OSError, match=r".+"):
        hole.punch(into, 0, 4096)
    os.close(out)
    os.close(into)


def test_a_disk_with_room_says_so(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        assert hole.has_room(file.fileno(), 0, 100_000)
    assert (tmp_path / "log").stat().st_size == 0
