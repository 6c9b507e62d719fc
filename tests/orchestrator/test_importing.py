"""An export becomes a session as a whole; whatever is wrong, or killed, makes none."""

from __future__ import annotations

import io
import json
import os
import re
import threading
from pathlib import Path

import pytest

from descartes_core.errors import AlreadyExists, ArchiveInvalid, NotFound, Refused
from descartes_core.ids import new_id
from descartes_core.session_record import SessionRecord
from descartes_daemon.schema import open_writer
from descartes_daemon.transfer.exporting import export
from descartes_daemon.unit import Unit
from descartes_daemon.writing import write
from descartes_local import registry
from descartes_local.archive_form import IMPORTING
from descartes_local.home import Home
from descartes_local.locks import lock_directory
from descartes_local.session_file import load, path_in
from descartes_orchestrator import importing
from descartes_orchestrator.import_leftovers import leftovers, sweep
from descartes_orchestrator.importing import import_session
from tests.support.rows import an_agent, told

AGENT = "12345678-1234-1234-1234-123456789abc"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give an export of a session `shop` with one agent that had said something."""
    data = tmp_path / "data"
    (data / "agents" / AGENT).mkdir(parents=True)
    (data / "agents" / AGENT / "output.log").write_bytes(b"said\n")
    connection = open_writer(data / "state.db")
    write(connection, [Unit().add_agent(an_agent(AGENT)), told("spawned", AGENT)])
    connection.close()
    more = {"ports": {"http": 1, "ws": 2}, "theirs": "kept"}
    record = SessionRecord(new_id(), "shop", "/elsewhere/shop", "2026-01-01T00:00:00Z", more=more)
    out = io.BytesIO()
    export(record, data, out, None)
    (tmp_path / "shop.tar").write_bytes(out.getvalue())
    return tmp_path / "shop.tar"


def left_in(home: Home) -> list[str]:
    return sorted(os.listdir(home.path / "sessions"))


def test_it_is_a_session_with_its_id_name_and_history(home: Home, tmp_path: Path, file: Path) -> None:
    made = import_session(home, file, tmp_path / "here" / "shop")
    session = made.session
    assert (session.name, session.path, made.was) == ("shop", (tmp_path / "here" / "shop").resolve(), None)
    assert [one["id"] for one in made.lost] == [AGENT]
    assert left_in(home) == [session.id]
    data = home.session(session.id)
    assert (data / "agents" / AGENT / "output.log").read_bytes() == b"said\n"
    assert sorted(os.listdir(data)) == ["agents", "state.db"]
    assert os.stat(data).st_mode & 0o777 == 0o700
    assert registry.read(home).known == {session.id: str(session.path)}
    record = load(session.path)
    assert record is not None
    assert (record.created_at, record.ports, record.more) == ("2026-01-01T00:00:00Z", None, {"theirs": "kept"})


def test_where_its_id_is_taken_it_gets_another_one(home: Home, tmp_path: Path, file: Path) -> None:
    first = import_session(home, file, tmp_path / "one")
    second = import_session(home, file, tmp_path / "two")
    assert second.was == first.session.id != second.session.id
    assert left_in(home) == sorted([first.session.id, second.session.id])
    assert (first.session.rival, second.session.rival) == (None, None)


def test_without_a_place_it_is_a_directory_here(
    home: Home, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert import_session(home, file, None).session.path == (tmp_path / "here" / "shop").resolve()


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("../../etc", "etc"),
        ("..", "session"),
        ("a/b", "a-b"),
        (".ssh", "ssh"),
        ("der Laden", "der Laden"),
        ("\n", "session"),
        ("x" * 500, "x" * 100),
    ],
)
def test_a_name_leads_nowhere_else(name: str, directory: str) -> None:
    assert importing._directory_name(name) == directory


def test_a_workspace_with_a_session_stays_as_it_is(home: Home, tmp_path: Path, file: Path) -> None:
    made = import_session(home, file, tmp_path / "shop")
    before = path_in(made.session.path).read_text()
    with pytest.raises(AlreadyExists, match="has a session already"):
        import_session(home, file, tmp_path / "shop")
    assert path_in(made.session.path).read_text() == before
    assert left_in(home) == [made.session.id]
    with pytest.raises(Refused, match="its own files"):
        import_session(home, file, home.path)


def test_a_damaged_file_makes_nothing(home: Home, tmp_path: Path, file: Path) -> None:
    whole = file.read_bytes()
    for damaged in (whole[:-2000], whole[:3000], whole.replace(b"said\n", b"sayd\n"), b"", b"x" * 5000):
        file.write_bytes(damaged)
        with pytest.raises(ArchiveInvalid, match=f"^{re.escape(str(file))}: "):
            import_session(home, file, tmp_path / "shop")
    with pytest.raises(NotFound):
        import_session(home, tmp_path / "none", tmp_path / "shop")
    assert (left_in(home), (tmp_path / "shop").exists()) == ([], False)


def test_two_at_once_make_one_of_one_place(home: Home, tmp_path: Path, file: Path) -> None:
    outcomes: list[object] = []

    def attempt() -> None:
        try:
            outcomes.append(import_session(home, file, tmp_path / "shop").session.id)
        except AlreadyExists:
            outcomes.append(None)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (made,) = [one for one in outcomes if one is not None]
    assert left_in(home) == [made]


def test_what_a_killed_one_left_is_removed_or_finished(home: Home, tmp_path: Path, file: Path) -> None:
    made = import_session(home, file, tmp_path / "shop").session
    sessions = home.path / "sessions"
    marker = {"id": made.id, "path": str(made.path)}
    (home.session(made.id) / IMPORTING).write_text(json.dumps(marker))
    for name in (".import-aa", ".import-bb", new_id()):
        (sessions / name).mkdir()
    unsaved = new_id()
    (sessions / unsaved).mkdir()
    (sessions / unsaved / IMPORTING).write_text(json.dumps({"id": unsaved, "path": str(tmp_path / "empty")}))
    (tmp_path / "empty" / ".scud").mkdir(parents=True)
    held = lock_directory(sessions / ".import-bb")
    assert held is not None
    home.sessions_file.unlink()
    assert {path.name for path in leftovers(home)} == {".import-aa", unsaved}
    sweep(home)
    assert leftovers(home) == []
    os.close(held)
    assert {".import-aa", unsaved} & set(left_in(home)) == set()
    assert {".import-bb", made.id} < set(left_in(home))
    assert not (home.session(made.id) / IMPORTING).exists()
    assert registry.read(home).known == {made.id: str(made.path)}


def test_data_of_a_workspace_that_was_moved_is_never_taken_for_a_leftover(
    home: Home, tmp_path: Path, file: Path
) -> None:
    made = import_session(home, file, tmp_path / "shop").session
    # Killed just before its last step; then the workspace got another place, or its disk is not mounted now.
    (home.session(made.id) / IMPORTING).write_text(json.dumps({"id": made.id, "path": str(made.path)}))
    (tmp_path / "shop").rename(tmp_path / "moved")
    sweep(home)
    assert (home.session(made.id) / "state.db").exists()
    assert leftovers(home) == []
