"""A log is read alike before, while and after it is compressed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from descartes_local.cold_log import Damaged
from descartes_local.log_file import LogFile
from tests.local.test_cold_log import said, stored


def cold_one(directory: Path, *, behind: bytes = b"") -> Path:
    """Return a log of which all but what is behind is compressed."""
    path = directory / "output.log"
    stored(directory / "output.cold", said(1000))
    path.write_bytes(bytes(1000) + behind)
    return path


def test_it_is_read_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(said(1000))
    with LogFile(path) as file:
        assert file.read(10, 5) == said(1000)[10:15]
    with LogFile(cold_one(tmp_path)) as file:
        assert file.read(10, 5) == said(1000)[10:15]
        assert file.read(0, 5000) == said(1000)
        assert file.read(1000, 1) == b""


def test_who_opened_it_before_reads_what_it_was(tmp_path: Path) -> None:
    """The reader has the log's own descriptor, and the log is a hole before it reads."""
    path = tmp_path / "output.log"
    path.write_bytes(said(1000))
    with LogFile(path) as file:
        stored(tmp_path / "output.cold", said(1000))
        with path.open("r+b") as log:
            log.write(bytes(1000))
        assert file.read(990, 100) == said(1000)[990:]


def test_what_was_said_later_lies_behind(tmp_path: Path) -> None:
    with LogFile(cold_one(tmp_path, behind=b"and more")) as file:
        assert file.read(998, 100) == said(1000)[998:] + b"and more"
        assert file.read(1004, 100) == b"more"


def test_before_its_first_byte_the_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    stored(tmp_path / "output.cold", said(100), first=50)
    path.write_bytes(b"x" * 50 + bytes(100))
    with LogFile(path) as file:
        assert file.read(48, 10) == b"xx"
        assert file.read(50, 10) == said(100)[:10]


def test_a_tail_of_a_compressed_log(tmp_path: Path) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(100))
    stored(tmp_path / "output.cold", lines)
    (tmp_path / "output.log").write_bytes(bytes(len(lines)))
    with LogFile(tmp_path / "output.log") as file:
        assert file.offset_of_tail(0, len(lines), 2) == lines.index(b"line 98")


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    path = cold_one(tmp_path)
    (tmp_path / "output.cold").write_bytes(b"nonsense")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(Damaged):
        LogFile(path)
    assert os.listdir("/proc/self/fd") == before
