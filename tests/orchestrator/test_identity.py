from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from descartes_core.errors import Conflict, NoWorkspace
from descartes_core.ids import new_id, stable_id
from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.processes import Process, process_of
from descartes_local.run_file import RunFile, write_run_file
from descartes_local.session_file import path_in, save
from descartes_orchestrator.identity import refuse_copy, refuse_rivals, session_of, workspace_around


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    (path / ".scud").mkdir(parents=True)
    return path


@pytest.fixture
def record(workspace: Path) -> SessionRecord:
    return SessionRecord(new_id(), "Shop", str(workspace), "2025-12-04T20:14:07.123456Z")


def say_running(home: Home, session_id: str, path: Path, started: int | None = None) -> RunFile:
    """Write the run file of a daemon: this process, or one that had its pid."""
    me = process_of(os.getpid())
    assert me is not None
    process = Process(me.pid, me.started if started is None else started)
    run = RunFile(session_id, "shop", str(path), process.pid, process.started, new_id(), "h", "w", "s", "t", "0")
    home.make()
    write_run_file(home, run)
    return run


def test_a_workspace_is_found_from_inside(home: Home, workspace: Path) -> None:
    inside = workspace / "src" / "deep"
    inside.mkdir(parents=True)
    assert workspace_around(home, inside) == workspace
    assert workspace_around(home, f"{workspace}/") == workspace


def test_the_nearest_of_nested_ones_counts(home: Home, workspace: Path) -> None:
    (workspace / "inner" / ".scud").mkdir(parents=True)
    assert workspace_around(home, workspace / "inner") == workspace / "inner"


@pytest.mark.parametrize("name", ["with space", "Ærø", "🦊", os.fsdecode(b"\xff")])
def test_any_name_will_do(name: str, home: Home, tmp_path: Path) -> None:
    (tmp_path / name / ".scud").mkdir(parents=True)
    found = session_of(home, workspace_around(home, tmp_path / name))
    assert found.path == tmp_path / name
    assert json.dumps(found.record.as_json())


def test_home_relative_and_linked_paths_all_lead_to_one(
    home: Home, workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(workspace)
    paths = ("~/shop", "shop", "./shop/", "link", "link/", "shop/../shop")
    assert {workspace_around(home, path) for path in paths} == {workspace}


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("gone", "gone does not exist"),
        ("file", "is not a directory"),
        ("plain", "is not in a workspace: make one there with"),
        ("loop", "loop"),
        ("a\0b", "cannot be a path"),
        ("x" * 300, "File name too long"),
    ],
)
def test_what_is_no_workspace_says_why(
    path: str, told: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "plain").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(NoWorkspace, match=told):
        workspace_around(home, path)


def test_the_user_s_own_directory_is_none(home: Home) -> None:
    (home.path / ".scud").mkdir(parents=True)
    with pytest.raises(NoWorkspace):
        workspace_around(home, home.path)


def test_without_a_file_the_id_is_the_same_each_time_and_nothing_is_written(home: Home, workspace: Path) -> None:
    first, second = session_of(home, workspace), session_of(home, workspace)
    assert first == second
    assert (first.id, first.name, first.has_file) == (stable_id(str(workspace)), "shop", False)
    assert os.listdir(workspace / ".scud") == []
    assert not home.path.exists()


def test_what_the_file_says_counts_except_for_the_path(home: Home, workspace: Path, record: SessionRecord) -> None:
    save(workspace, replace(record, path="~/elsewhere", more={"theirs": 1}))
    found = session_of(home, workspace)
    assert (found.id, found.name, found.has_file, found.status) == (record.id, "Shop", True, State.INACTIVE)
    assert found.record == replace(record, more={"theirs": 1})


def test_a_vanished_file_does_not_change_the_id(home: Home, workspace: Path, record: SessionRecord) -> None:
    registry.remember(home, record.id, str(workspace))
    assert session_of(home, workspace).id == record.id
    shutil.rmtree(workspace / ".scud")
    assert session_of(home, workspace).id == record.id


@pytest.mark.parametrize("content", ["", '{"id": "0b6c'])
def test_a_torn_file_is_told_left_alone_and_keeps_the_known_id(
    content: str, home: Home, workspace: Path, record: SessionRecord
) -> None:
    registry.remember(home, record.id, str(workspace))
    path_in(workspace).write_text(content)
    found = session_of(home, workspace)
    assert (found.id, found.has_file) == (record.id, False)
    assert "session.json cannot be used" in found.notes[0]
    assert path_in(workspace).read_text() == content


def test_a_moved_workspace_keeps_its_id(home: Home, workspace: Path, record: SessionRecord) -> None:
    save(workspace, record)
    registry.remember(home, record.id, str(workspace))
    moved = workspace.rename(workspace.with_name("moved"))
    found = session_of(home, moved)
    assert (found.id, found.record.path, found.rival) == (record.id, str(moved), None)


def test_who_lives_where_another_was_born_has_an_id_of_its_own(home: Home, workspace: Path) -> None:
    born = session_of(home, workspace)
    save(workspace, born.record)
    moved = workspace.rename(workspace.with_name("moved"))
    registry.remember(home, born.id, str(moved))
    (workspace / ".scud").mkdir(parents=True)
    new = session_of(home, workspace)
    assert new.id != born.id
    assert session_of(home, workspace).id == new.id
    assert registry.read(home).known == {born.id: str(moved), new.id: str(workspace)}


def test_a_copy_is_told_and_does_not_borrow_the_daemon(home: Home, workspace: Path, record: SessionRecord) -> None:
    save(workspace, record)
    registry.remember(home, record.id, str(workspace))
    say_running(home, record.id, workspace)
    copy = workspace.with_name("copy")
    shutil.copytree(workspace, copy)
    found = session_of(home, copy)
    assert (found.rival, found.run, found.status) == (workspace, None, State.INACTIVE)
    assert f"{workspace} bears the same id" in found.notes[0]
    with pytest.raises(Conflict, match=f"{copy} and {workspace} bear .*: `descartes sessions adopt {copy}`"):
        refuse_copy(found)
    original = session_of(home, workspace)
    assert (original.rival, original.is_copy, original.status) == (copy, False, State.ACTIVE)
    refuse_copy(original)
    for either in (found, original):
        with pytest.raises(Conflict, match=f"`descartes sessions adopt {copy}`"):
            refuse_rivals(either)
    shutil.rmtree(copy)
    assert session_of(home, workspace).rival is None


def test_a_copy_knows_where_it_was_copied_from(home: Home, workspace: Path, record: SessionRecord) -> None:
    save(workspace, record)
    copy = workspace.with_name("copy")
    shutil.copytree(workspace, copy)
    assert (session_of(home, copy).rival, session_of(home, copy).is_copy) == (workspace, True)
    assert (session_of(home, workspace).rival, session_of(home, workspace).is_copy) == (copy, False)


@pytest.mark.parametrize("path", ["~/elsewhere", "", "relative", "/a\0b", "/" + "x" * 5000])
def test_a_place_that_is_none_in_the_file_is_no_rival(
    path: str, home: Home, workspace: Path, record: SessionRecord
) -> None:
    save(workspace, replace(record, path=path))
    assert session_of(home, workspace).rival is None


def test_a_workspace_moved_while_its_daemon_runs_is_not_its_own_rival(
    home: Home, workspace: Path, record: SessionRecord
) -> None:
    save(workspace, record)
    registry.remember(home, record.id, str(workspace))
    run = say_running(home, record.id, workspace)
    moved = workspace.rename(workspace.with_name("moved"))
    found = session_of(home, moved)
    assert (found.rival, found.run) == (None, run)


@pytest.mark.parametrize("status", list(State))
def test_nothing_is_active_without_a_living_daemon(
    status: State, home: Home, workspace: Path, record: SessionRecord
) -> None:
    save(workspace, replace(record, status=status))
    say_running(home, record.id, workspace, started=1)
    found = session_of(home, workspace)
    assert found.run is None
    assert found.status in (State.INACTIVE, State.ERROR, State.ARCHIVED)
    assert found.status is (status if status in (State.ERROR, State.ARCHIVED) else State.INACTIVE)


@pytest.mark.parametrize(
    ("written", "true"),
    [(State.INACTIVE, State.ACTIVE), (State.STARTING, State.STARTING), (State.STOPPING, State.STOPPING)],
)
def test_a_living_daemon_is_active_whatever_an_old_file_says(
    written: State, true: State, home: Home, workspace: Path, record: SessionRecord
) -> None:
    save(workspace, replace(record, status=written))
    run = say_running(home, record.id, workspace)
    assert (session_of(home, workspace).status, session_of(home, workspace).run) == (true, run)


def test_a_name_that_no_table_can_bear_is_made_bearable(home: Home, workspace: Path, record: SessionRecord) -> None:
    save(workspace, replace(record, name="a\nb\0\x1b[2J" + "x" * 10_240))
    name = session_of(home, workspace).name
    assert name.startswith("a?b??[2Jxxx")
    assert len(name) == 100


def test_a_workspace_that_vanished_meanwhile_is_none(home: Home, tmp_path: Path) -> None:
    with pytest.raises(NoWorkspace, match="is gone"):
        session_of(home, tmp_path / "gone")
