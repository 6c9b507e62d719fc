from __future__ import annotations

import os
from pathlib import Path

import pytest

from descartes_local.regular_file import LARGEST, NotRegular, read_regular


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * LARGEST)
    assert read_regular(tmp_path / "file") == b"x" * LARGEST


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * (LARGEST + 1))
    with pytest.raises(NotRegular, match=f"{LARGEST + 1} bytes"):
        read_regular(tmp_path / "file")


def test_a_pipe_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegular, match="no regular file"):
        read_regular(tmp_path / "pipe")


@pytest.mark.parametrize("path", ["/dev/zero", "/tmp"])
def test_devices_and_directories_are_none(path: str) -> None:
    with pytest.raises(NotRegular):
        read_regular(path)


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "gone")
