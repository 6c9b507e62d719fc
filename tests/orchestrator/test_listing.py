from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from descartes_core.errors import ConfigInvalid, Conflict
from descartes_core.ids import new_id
from descartes_local import registry
from descartes_local.home import Home
from descartes_orchestrator import sessions
from descartes_orchestrator.listing import list_sessions


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("HOME", str(tmp_path))
    return Home(tmp_path / ".descartes")


def scud(path: Path) -> Path:
    (path / ".scud").mkdir(parents=True)
    return path


def test_what_is_found_and_what_is_known_come_together_by_name(own_home: Home, tmp_path: Path) -> None:
    far = sessions.create(own_home, tmp_path / "far" / "Alpha")
    found = scud(tmp_path / "projects" / "beta")
    deep = scud(tmp_path / "projects" / "1" / "2" / "3" / "4")
    listing = list_sessions(own_home)
    assert [session.path for session in listing.sessions] == [far.path, found]
    assert (listing.errors, listing.notes) == ([], [])
    assert deep not in [session.path for session in listing.sessions]


def test_one_place_that_cannot_be_looked_at_hides_no_other(own_home: Home, tmp_path: Path) -> None:
    shop = sessions.create(own_home, tmp_path / "projects" / "shop")
    registry.remember(own_home, new_id(), f"/{'x' * 300}")
    assert shop.path in [session.path for session in list_sessions(own_home).sessions]


def test_a_second_listing_shows_the_same_and_nothing_was_written(own_home: Home, tmp_path: Path) -> None:
    workspace = scud(tmp_path / "projects" / "shop")
    assert list_sessions(own_home) == list_sessions(own_home)
    assert os.listdir(workspace / ".scud") == []
    assert not own_home.path.exists()


def test_the_user_s_own_directory_is_searched_and_is_none_itself(own_home: Home, tmp_path: Path) -> None:
    own_home.make()
    scud(own_home.path)
    inner = scud(own_home.path / "work")
    assert [session.path for session in list_sessions(own_home).sessions] == [inner]


def test_missing_paths_are_told_when_somebody_asked_for_them(
    own_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list_sessions(own_home).errors == []
    monkeypatch.setenv("DESCARTES_DISCOVERY__SEARCH_PATHS", '["~/gone"]')
    assert list_sessions(own_home).errors == [(tmp_path / "gone", "No such file or directory")]


def test_paths_and_depth_are_configured(own_home: Home, tmp_path: Path) -> None:
    shallow, deep = scud(tmp_path / "code" / "a"), scud(tmp_path / "code" / "b" / "c")
    own_home.make()
    (own_home.path / "config.toml").write_text("[discovery]\nsearch_paths = ['~/code']\nmax_depth = 1\n")
    assert [session.path for session in list_sessions(own_home).sessions] == [shallow]
    (own_home.path / "config.toml").write_text("[discovery]\nsearch_paths = ['~/code']\n")
    assert [session.path for session in list_sessions(own_home).sessions] == [shallow, deep]
    (own_home.path / "config.toml").write_text("[discovery]\npath = ['~/code']\n")
    with pytest.raises(ConfigInvalid, match=r"unknown key discovery\.path"):
        list_sessions(own_home)


def test_copies_are_told(own_home: Home, tmp_path: Path) -> None:
    used = sessions.create(own_home, tmp_path / "projects" / "used")
    for name in ("copy-1", "copy-2"):
        shutil.copytree(used.path, tmp_path / "projects" / name)
    notes = {session.name + session.path.name: session.notes for session in list_sessions(own_home).sessions}
    assert f"{used.path} bears the same id" in notes["usedcopy-1"][0]
    assert f"{used.path} bears the same id" in notes["usedcopy-2"][0]
    assert f"{used.path.with_name('copy-1')} bears the same id" in notes["usedused"][0]


def test_copies_of_which_none_was_used_are_told(own_home: Home, tmp_path: Path) -> None:
    one = sessions.create(own_home, tmp_path / "projects" / "one").path
    two = tmp_path / "projects" / "two"
    shutil.copytree(one, two)
    shutil.rmtree(own_home.path)
    for _ in range(2):
        first, second = list_sessions(own_home).sessions
        assert (first.rival, second.rival) == (two, one)
        assert f"{two} bears the same id: `descartes sessions adopt {two}`" in first.notes[0]
        assert f"{one} bears the same id: `descartes sessions adopt {two}`" in second.notes[0]
    for path in (one, two):
        with pytest.raises(Conflict, match=f"{path} and .* bear the same id"):
            sessions.start(own_home, sessions.at(own_home, path))


def test_what_a_deletion_left_is_told(own_home: Home, tmp_path: Path) -> None:
    own_home.make()
    trash = tmp_path / "projects" / ".shop.deleted-1"
    trash.mkdir(parents=True)
    with registry.updating(own_home) as change:
        removal = registry.Removal(str(tmp_path / "projects/shop"), str(trash), new_id())
        change.registry = replace(change.registry, removing=(removal,))
    (note,) = list_sessions(own_home).notes
    assert f"`descartes sessions delete {tmp_path}/projects/shop`" in note


def test_a_moved_workspace_is_listed_where_it_is(own_home: Home, tmp_path: Path) -> None:
    session = sessions.create(own_home, tmp_path / "projects" / "shop")
    moved = session.path.rename(tmp_path / "projects" / "moved")
    (found,) = list_sessions(own_home).sessions
    assert (found.id, found.path, found.notes) == (session.id, moved, ())


def test_a_torn_registry_is_told(own_home: Home) -> None:
    own_home.make()
    own_home.sessions_file.write_text("{")
    assert "sessions.json cannot be read" in list_sessions(own_home).notes[0]
