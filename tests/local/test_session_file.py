from __future__ import annotations

import json
import os
import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.ids import new_id
from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord
from descartes_local.session_file import Unreadable, load, path_in, save, set_aside

_WHOLE = json.dumps(
    {"id": new_id(), "name": "Bevy", "path": "/w", "created_at": "t", "status": "Active", "ports": {"http": 1, "ws": 2}}
).encode()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / ".scud").mkdir()
    return tmp_path


@pytest.fixture
def record(workspace: Path) -> SessionRecord:
    return SessionRecord(new_id(), "Ærø", str(workspace), "2025-12-04T20:14:07.123456Z", more={"theirs": [1]})


def test_what_is_saved_is_loaded(workspace: Path, record: SessionRecord) -> None:
    save(workspace, record)
    assert load(workspace) == record


def test_it_looks_as_the_original_writes_it(workspace: Path, record: SessionRecord) -> None:
    save(workspace, record)
    text = path_in(workspace).read_text()
    assert text.startswith(f'{{\n  "id": "{record.id}",\n  "name": "Ærø",\n  "path": ')
    keys = ["id", "name", "path", "created_at", "last_accessed", "status", "daemon_info", "theirs"]
    assert list(json.loads(text)) == keys
    assert stat.S_IMODE(path_in(workspace).stat().st_mode) == 0o644


def test_saving_again_keeps_the_keys_of_others(workspace: Path, record: SessionRecord) -> None:
    save(workspace, record)
    loaded = load(workspace)
    assert loaded is not None
    save(workspace, replace(loaded, status=State.ACTIVE))
    assert load(workspace) == replace(record, status=State.ACTIVE)


def test_without_the_file_there_is_none(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    (tmp_path / ".scud").write_text("a file by that name")
    assert load(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b'{"id": "0b6c', "not JSON"),
        (b"\xff\xff\xff\xff", "utf-"),
        (b"[]", "not an object"),
        (b'{"tasks": []}', "missing"),
        (b"[" * 200_000, "nested"),
        (b" " * (1024 * 1024 + 1), "bytes"),
    ],
)
def test_a_torn_or_foreign_file_is_told_and_left_alone(content: bytes, reason: str, workspace: Path) -> None:
    path_in(workspace).write_bytes(content)
    with pytest.raises(Unreadable, match=reason) as caught:
        load(workspace)
    assert str(path_in(workspace)) in str(caught.value)
    assert path_in(workspace).read_bytes() == content


@given(
    st.binary(max_size=200)
    | st.tuples(st.integers(0, 400), st.binary(max_size=3)).map(
        lambda cut: _WHOLE[: cut[0]] + cut[1] + _WHOLE[cut[0] :]
    )
    | st.integers(0, 400).map(lambda end: _WHOLE[:end])
)
def test_whatever_bytes_lie_there_are_a_session_or_told(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / ".scud").mkdir()
        path_in(Path(directory)).write_bytes(content)
        try:
            record = load(Path(directory))
        except Unreadable:
            return
        assert record is not None
        save(Path(directory), record)
        assert load(Path(directory)) == record


def test_a_pipe_by_its_name_holds_nobody_up(workspace: Path) -> None:
    os.mkfifo(path_in(workspace))
    with pytest.raises(Unreadable, match="no regular file"):
        load(workspace)


def test_what_may_not_be_read_is_told(workspace: Path) -> None:
    path_in(workspace).symlink_to(path_in(workspace))
    with pytest.raises(Unreadable, match="symbolic link"):
        load(workspace)


def test_what_is_set_aside_is_kept_also_twice_in_a_second(workspace: Path) -> None:
    aside = []
    for content in ("one", "two", "three"):
        path_in(workspace).write_text(content)
        aside.append(set_aside(workspace))
    assert [path.read_text() for path in aside] == ["one", "two", "three"]
    assert all(path.name.startswith("session.json.torn-2") for path in aside)
    assert load(workspace) is None


def test_a_scud_that_vanished_is_made_anew(tmp_path: Path, record: SessionRecord) -> None:
    (tmp_path / ".scud").rmdir()
    save(tmp_path, record)
    assert load(tmp_path) == record


def test_a_workspace_that_vanished_is_told(tmp_path: Path, record: SessionRecord) -> None:
    with pytest.raises(FileNotFoundError, match="the workspace is gone"):
        save(tmp_path / "gone", record)


def test_a_path_that_is_no_utf_8_comes_back(workspace: Path, record: SessionRecord) -> None:
    odd = replace(record, path=os.fsdecode(b"/w/\xff"))
    save(workspace, odd)
    assert load(workspace) == odd


def test_a_link_to_elsewhere_is_followed_neither_for_writing_nor_for_renaming(
    tmp_path: Path, record: SessionRecord
) -> None:
    victim, cloned = tmp_path / "victim", tmp_path / "cloned"
    victim.mkdir()
    cloned.mkdir()
    (victim / "session.json").write_text("{}")
    (cloned / ".scud").symlink_to(victim)
    for writing in (lambda: save(cloned, record), lambda: set_aside(cloned)):
        with pytest.raises(OSError, match="leaves its workspace"):
            writing()
    assert [path.name for path in victim.iterdir()] == ["session.json"]
    (cloned / ".scud").unlink()
    (cloned / "state").mkdir()
    (cloned / ".scud").symlink_to("state")
    save(cloned, record)
    assert load(cloned) == record
