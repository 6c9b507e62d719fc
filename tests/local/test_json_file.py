from __future__ import annotations

import os
import resource
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descartes_local.json_file import read_json, sync_directory, write_bytes, write_json

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(value=_VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_is_written_is_read(value: Any, tmp_path: Path) -> None:
    write_json(tmp_path / "file", value, durable=False)
    assert read_json(tmp_path / "file") == value


def test_people_can_read_it(tmp_path: Path) -> None:
    write_json(tmp_path / "file", {"name": "Ærø"})
    assert (tmp_path / "file").read_text() == '{\n  "name": "Ærø"\n}\n'


def test_its_mode_is_private_unless_said_otherwise(tmp_path: Path) -> None:
    write_json(tmp_path / "a", 1)
    write_json(tmp_path / "b", 1, mode=0o644)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "ab"] == [0o600, 0o644]


def test_a_failed_write_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "file"
    directory.mkdir()
    with pytest.raises(IsADirectoryError):
        write_bytes(directory, b"x")
    with pytest.raises(TypeError):
        write_json(tmp_path / "other", object())
    assert os.listdir(tmp_path) == ["file"]


def test_a_limit_met_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    write_json(tmp_path / "file", 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_json(tmp_path / "file", "x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert read_json(tmp_path / "file") == 1
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\xff", b"[" * 200_000])
def test_what_is_not_json_is_a_value_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError):  # noqa: PT011 - the reason is json's own
        read_json(tmp_path / "file")


def test_a_directory_that_vanished_needs_no_sync(tmp_path: Path) -> None:
    sync_directory(tmp_path / "gone")
