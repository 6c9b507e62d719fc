from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from descartes_core.errors import AlreadyExists, DescartesError, InvalidParams, Refused, Unavailable
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.locks import lock_directory
from descartes_local.session_file import load, path_in
from descartes_orchestrator.creation import create
from descartes_orchestrator.identity import session_of


def test_the_whole_layout_is_made(home: Home, tmp_path: Path) -> None:
    made = create(home, tmp_path / "a" / "shop")
    workspace = tmp_path / "a" / "shop"
    tree = sorted(str(path.relative_to(workspace)) for path in workspace.rglob("*"))
    expected = [".scud", ".scud/session.json", ".scud/tasks", ".scud/tasks/tasks.json", ".scud/workflow-state.json"]
    assert tree == [*expected, "data", "logs", "thoughts"]
    assert json.loads((workspace / ".scud/tasks/tasks.json").read_text()) == {}
    state = json.loads((workspace / ".scud/workflow-state.json").read_text())
    assert state == {"active_epic": None, "updated_at": None}
    assert (made.name, made.path, made.has_file, made.notes) == ("shop", workspace, True, ())
    assert load(workspace) == made.record
    assert registry.read(home).known == {made.id: str(workspace)}


def test_what_is_there_already_stays(home: Home, tmp_path: Path) -> None:
    (tmp_path / ".scud" / "tasks").mkdir(parents=True)
    for name in (".scud/tasks/tasks.json", ".scud/tasks/tasks.scg", ".scud/workflow-state.json", "README"):
        (tmp_path / name).write_text(f"mine: {name}")
    before = session_of(home, tmp_path)
    made = create(home, tmp_path, "The shop")
    assert (made.id, made.name) == (before.id, "The shop")
    for name in (".scud/tasks/tasks.json", ".scud/tasks/tasks.scg", ".scud/workflow-state.json", "README"):
        assert (tmp_path / name).read_text() == f"mine: {name}"


@pytest.mark.parametrize("content", ["{}", ""])
def test_where_a_session_is_nothing_is_made(content: str, home: Home, tmp_path: Path) -> None:
    (tmp_path / ".scud").mkdir()
    path_in(tmp_path).write_text(content)
    with pytest.raises(AlreadyExists, match="has a session already"):
        create(home, tmp_path)
    assert path_in(tmp_path).read_text() == content
    assert not (tmp_path / "data").exists()


def test_a_second_time_is_refused(home: Home, tmp_path: Path) -> None:
    made = create(home, tmp_path / "shop")
    with pytest.raises(AlreadyExists):
        create(home, tmp_path / "shop")
    assert load(tmp_path / "shop") == made.record


def test_many_at_once_make_one(home: Home, tmp_path: Path) -> None:
    def attempt(_: int) -> str | type[DescartesError]:
        try:
            return create(home, tmp_path / "shop").id
        except DescartesError as error:
            return type(error)

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(attempt, range(10)))
    record = load(tmp_path / "shop")
    assert record is not None
    assert sorted(map(str, results)) == sorted([record.id, *[str(AlreadyExists)] * 9])


@pytest.mark.parametrize("name", ["", "a\nb", "a\0b", "x" * 10_240, "../x"])
def test_a_name_that_is_none_is_refused_before_anything_is_made(name: str, home: Home, tmp_path: Path) -> None:
    with pytest.raises(InvalidParams):
        create(home, tmp_path / "shop", name)
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize("path", ["file", "file/below", "odd"])
def test_a_file_in_the_way_is_told_and_stays(path: str, home: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ".scud").write_text("mine")
    with pytest.raises(AlreadyExists, match="is in the way: it is not a directory"):
        create(home, tmp_path / path)
    assert (tmp_path / "file").read_text() == (tmp_path / "odd" / ".scud").read_text() == "mine"


@pytest.mark.parametrize("path", ["/proc/descartes", "a\0b", "x" * 300])
def test_what_cannot_be_made_is_told(path: str, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unavailable, match="cannot make a workspace at"):
        create(home, path)


def test_the_user_s_own_directory_is_refused(home: Home) -> None:
    with pytest.raises(Refused, match="keeps its own files"):
        create(home, home.path)


def test_one_that_is_being_served_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / ".scud").mkdir()
    lock = lock_directory(tmp_path / ".scud")
    assert lock is not None
    with pytest.raises(AlreadyExists, match="being made"):
        create(home, tmp_path)
    os.close(lock)


def test_one_that_cannot_be_remembered_is_made_and_that_is_told(home: Home, tmp_path: Path) -> None:
    home.path.write_text("in the way")
    made = create(home, tmp_path / "shop")
    assert "cannot be remembered" in made.notes[-1]
    assert load(tmp_path / "shop") == made.record


def test_what_could_not_be_made_whole_is_no_session_yet_and_may_be_repeated(home: Home, tmp_path: Path) -> None:
    """A command that was killed in between once left a session without its directories, and refused the repeat."""
    place = tmp_path / "shop"
    place.mkdir()
    (place / "data").write_text("in the way")
    with pytest.raises(AlreadyExists, match="data is in the way"):
        create(home, place)
    assert not (place / ".scud/session.json").exists()
    (place / "data").unlink()
    assert create(home, place).has_file
    assert (place / "data").is_dir()
