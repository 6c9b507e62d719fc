from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descartes_core.errors import Unavailable
from descartes_core.ids import new_id
from descartes_local import registry
from descartes_local.home import Home

A, B = new_id(), new_id()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_at_first_nothing_is_known(home: Home) -> None:
    assert registry.read(home) == registry.Registry()
    assert not home.path.exists()


def test_what_is_remembered_is_known(home: Home) -> None:
    assert registry.remember(home, A, "/a") == ""
    assert registry.remember(home, B, "/b") == ""
    found = registry.read(home)
    assert found.known == {A: "/a", B: "/b"}
    assert (found.id_at("/b"), found.id_at("/c")) == (B, None)


def test_remembering_what_is_known_writes_nothing(home: Home) -> None:
    registry.remember(home, A, "/a")
    before = home.sessions_file.stat().st_ino
    registry.remember(home, A, "/a")
    assert home.sessions_file.stat().st_ino == before


def test_a_moved_workspace_has_one_path_and_a_path_one_id(home: Home) -> None:
    registry.remember(home, A, "/a")
    registry.remember(home, A, "/moved")
    assert registry.read(home).known == {A: "/moved"}
    registry.remember(home, B, "/moved")
    assert registry.read(home).known == {B: "/moved"}


def test_the_active_one_is_forgotten_with_its_session(home: Home) -> None:
    registry.remember(home, A, "/a")
    registry.remember(home, B, "/b")
    registry.set_active(home, A)
    registry.forget(home, B)
    assert registry.read(home).active_session_id == A
    registry.forget(home, A)
    assert registry.read(home) == registry.Registry()


def test_the_original_s_file_is_understood_and_foreign_keys_are_kept(home: Home) -> None:
    home.make()
    home.sessions_file.write_text(json.dumps({"active_session_id": A, "theirs": 1}))
    registry.remember(home, B, "/b")
    written = json.loads(home.sessions_file.read_text())
    assert written == {"active_session_id": A, "known": {B: "/b"}, "theirs": 1}


def test_copies_are_remembered_once_and_forgotten_by_place(home: Home) -> None:
    registry.remember_copies(home, A, ["/copy", "/another"])
    before = home.sessions_file.stat().st_ino
    registry.remember_copies(home, A, ["/copy"])
    assert home.sessions_file.stat().st_ino == before
    assert registry.read(home).copies == {A: ("/another", "/copy")}
    with registry.updating(home) as change:
        change.registry = change.registry.without_copy("/copy").without_copy("/another")
    assert registry.read(home) == registry.Registry()


def test_of_very_many_copies_some_are_remembered(home: Home) -> None:
    registry.remember_copies(home, A, [f"/{number}" for number in range(1000)])
    assert len(registry.read(home).copies[A]) == 100


def test_a_removal_that_was_begun_is_known_until_it_is_done(home: Home) -> None:
    begun = registry.Removal("/shop", "/.shop.deleted-1", A)
    with registry.updating(home) as change:
        change.registry = replace(change.registry, removing=(begun,))
    assert registry.read(home).removing == (begun,)
    with registry.updating(home) as change:
        change.registry = change.registry.without_removal(begun.trash)
    assert "removing" not in json.loads(home.sessions_file.read_text())


_GARBAGE = st.recursive(
    st.none() | st.integers() | st.sampled_from([A, "/a", "../x", "/a\0b"]) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([A, "path", "trash", "session_id", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["active_session_id", "known", "copies", "removing", "theirs"]), _GARBAGE))
def test_whatever_stands_in_it_is_read_and_written_again(value: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        home = Home(Path(directory) / "home")
        home.make()
        home.sessions_file.write_text(json.dumps(value))
        assert registry.remember(home, B, "/b") == ""
        found = registry.read(home)
        assert found.known[B] == "/b"
        assert found.more.get("theirs") == value.get("theirs")
        paths = [*found.known.values(), *(path for places in found.copies.values() for path in places)]
        assert all(path.startswith("/") for path in [*paths, *(one.trash for one in found.removing)])


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_a_torn_file_is_noted_when_read_and_set_aside_when_written(content: str, home: Home) -> None:
    home.make()
    home.sessions_file.write_text(content)
    assert "workspaces once used are not known" in registry.read(home).note
    assert home.sessions_file.read_text() == content
    note = registry.remember(home, A, "/a")
    assert "could not be read" in note
    aside = list(home.path.glob("sessions.json.torn-*"))
    assert [path.read_text() for path in aside] == [content]
    assert registry.read(home) == registry.Registry(known={A: "/a"})


def test_entries_that_are_none_are_left_out(home: Home) -> None:
    home.make()
    known = {A: "/a", "x": "/x", B: 3}
    home.sessions_file.write_text(json.dumps({"active_session_id": "../x", "known": known}))
    assert registry.read(home) == registry.Registry(known={A: "/a"})


def test_many_at_once_lose_nothing(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from descartes_local import registry; from descartes_local.home import "
        "Home; [registry.remember(Home(Path(sys.argv[1])), i, '/' + i) for i in sys.argv[2:]]"
    )
    ids = [new_id() for _ in range(40)]
    programs = [subprocess.Popen([sys.executable, "-c", code, str(home.path), *ids[start::8]]) for start in range(8)]
    assert [program.wait() for program in programs] == [0] * 8
    assert set(registry.read(home).known) == set(ids)


def test_where_nothing_can_be_written_the_file_is_named_and_stays(home: Home) -> None:
    registry.remember(home, A, "/work/a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(Unavailable, match=r"sessions\.json cannot be written: File too large"):
            registry.forget(home, A)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert registry.read(home).known == {A: "/work/a"}


def test_only_the_one_that_is_left_is_the_active_one_no_more(home: Home) -> None:
    registry.set_active(home, A)
    registry.leave(home, B)
    assert registry.read(home).active_session_id == A
    registry.leave(home, A)
    assert registry.read(home).active_session_id is None
