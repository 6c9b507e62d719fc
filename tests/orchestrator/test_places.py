from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from descartes_core.errors import Conflict, NoWorkspace, Refused
from descartes_core.session_life import State
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.session_file import load, path_in, save
from descartes_orchestrator import sessions
from descartes_orchestrator.sessions import Session


@pytest.fixture
def archived(home: Home, tmp_path: Path) -> Session:
    made = sessions.create(home, tmp_path / "projects" / "shop")
    save(made.path, replace(made.record, status=State.ARCHIVED, more={"ports": {"http": 1, "ws": 2}, "theirs": 3}))
    return sessions.at(home, made.path)


@pytest.fixture
def copy(archived: Session) -> Path:
    place = archived.path.with_name("copy")
    shutil.copytree(archived.path, place)
    return place


def test_a_copy_gets_an_id_keeps_its_name_and_begins_anew(home: Home, archived: Session, copy: Path) -> None:
    adopted = sessions.adopt(home, copy)
    record = load(copy)
    assert record is not None
    assert record.id == adopted.id != archived.id
    assert (record.name, record.path, record.status, record.more) == ("shop", str(copy), State.INACTIVE, {"theirs": 3})
    assert (record.last_accessed, record.daemon_info) == (None, None)
    assert registry.read(home).known == {archived.id: str(archived.path), adopted.id: str(copy)}
    assert registry.read(home).copies == {}
    assert not home.session(adopted.id).exists()


def test_a_copy_is_adopted_from_within_and_of_three_each_alone(home: Home, archived: Session, copy: Path) -> None:
    third = copy.with_name("third")
    shutil.copytree(archived.path, third)
    sessions.adopt(home, copy / "data")
    found = sessions.at(home, archived.path)
    assert (sessions.at(home, third).rival, sessions.at(home, copy).rival) == (archived.path, None)
    sessions.adopt(home, third)
    found = sessions.at(home, archived.path)
    assert (found.rival, found.notes) == (None, ())


def test_what_is_no_copy_is_not_adopted(home: Home, archived: Session, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="the only workspace known to bear"):
        sessions.adopt(home, archived.path)
    with pytest.raises(NoWorkspace):
        sessions.adopt(home, tmp_path)


def test_the_copy_of_a_torn_file_is_no_copy(home: Home, archived: Session, copy: Path) -> None:
    path_in(copy).write_text("{")
    assert sessions.at(home, copy).rival is None
    assert sessions.at(home, copy).id != archived.id


def test_a_moved_one_is_known_where_it_is(home: Home, archived: Session, tmp_path: Path) -> None:
    moved = archived.path.rename(tmp_path / "moved")
    (gone,) = sessions.known(home)
    found = sessions.relocate(home, gone, moved)
    assert (found.id, found.path, found.status, found.notes) == (archived.id, moved, State.ARCHIVED, ())
    assert registry.read(home).known == {archived.id: str(moved)}
    record = load(moved)
    assert record is not None
    assert record.path == str(moved)
    assert sessions.relocate(home, found, moved).path == moved


def test_only_what_bears_the_id_is_taken_for_it(home: Home, archived: Session, copy: Path, tmp_path: Path) -> None:
    other = sessions.create(home, tmp_path / "other")
    bare, torn = tmp_path / "bare", tmp_path / "torn"
    for place in (bare, torn):
        (place / ".scud").mkdir(parents=True)
    path_in(torn).write_text("{")
    for place, why in (
        (other.path, other.id),
        (bare, "has no session.json"),
        (torn, "not JSON"),
        (copy, "still bears"),
    ):
        with pytest.raises(Conflict, match=why):
            sessions.relocate(home, archived, place)
    with pytest.raises(NoWorkspace):
        sessions.relocate(home, archived, tmp_path)
    assert registry.read(home).known[archived.id] == str(archived.path)
