from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from descartes_core.errors import Ambiguous, Conflict, NoWorkspace, SessionNotFound, Unavailable
from descartes_core.session_life import State
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.processes import process_of
from descartes_local.run_file import RunFile, write_run_file
from descartes_local.session_file import path_in, save
from descartes_orchestrator import sessions
from descartes_orchestrator.sessions import Session
from tests.orchestrator.supervised import Supervised


@pytest.fixture(autouse=True)
def beside_the_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bank(home: Home, tmp_path: Path) -> Session:
    return sessions.create(home, tmp_path / "projects" / "bank", "Bank")


def run_of(session: Session) -> RunFile:
    """Return the run file of a session that this very process serves."""
    me = process_of(os.getpid())
    assert me is not None
    where = ("http://h", "ws://w", "/s", "2025-12-04T20:14:07.123456Z", "0")
    return RunFile(session.id, session.name, str(session.path), me.pid, me.started, session.id, *where)


def test_a_session_is_meant_by_path_id_prefix_or_name(home: Home, shop: Session, bank: Session) -> None:
    inside = str(shop.path / "data")
    for text in (str(shop.path), "./projects/shop", f"{shop.path}/", inside, shop.id, shop.id[:8], "shop"):
        assert sessions.resolve(home, text) == sessions.at(home, shop.path)
    assert sessions.resolve(home, "Bank").id == bank.id


def test_a_workspace_right_here_is_meant_before_one_of_that_name(
    home: Home, shop: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop" / ".scud").mkdir(parents=True)
    assert sessions.resolve(home, "shop").path == tmp_path / "shop"
    monkeypatch.chdir(shop.path)
    assert sessions.resolve(home, ".").id == shop.id


def test_a_directory_that_is_no_workspace_does_not_hide_a_session(home: Home, shop: Session, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "other").mkdir()
    assert sessions.resolve(home, "shop").id == shop.id
    with pytest.raises(NoWorkspace, match="is not in a workspace"):
        sessions.resolve(home, "other")


def test_two_of_one_name_are_listed(home: Home, shop: Session, tmp_path: Path) -> None:
    other = sessions.create(home, tmp_path / "elsewhere" / "shop")
    with pytest.raises(Ambiguous, match="'shop' fits 2") as caught:
        sessions.resolve(home, "shop")
    assert shop.id in caught.value.message
    assert other.id in caught.value.message


@pytest.mark.parametrize("text", ["", "nobody", "a\0b", "x" * 10_240])
def test_nobody_is_told(text: str, home: Home, shop: Session) -> None:
    with pytest.raises(SessionNotFound):
        sessions.resolve(home, text)


def test_the_known_come_by_name_and_those_that_only_run_too(home: Home, shop: Session, bank: Session) -> None:
    registry.forget(home, shop.id)
    assert [session.name for session in sessions.known(home)] == ["Bank"]
    write_run_file(home, run_of(shop))
    assert [(session.name, session.status) for session in sessions.known(home)] == [
        ("Bank", State.INACTIVE),
        ("shop", State.ACTIVE),
    ]


def test_a_known_workspace_that_is_gone_is_told(home: Home, shop: Session) -> None:
    shutil.rmtree(shop.path)
    (gone,) = sessions.known(home)
    assert (gone.id, gone.name, gone.notes) == (shop.id, "shop", (f"{shop.path} is not there any more",))
    assert sessions.resolve(home, "shop").id == shop.id
    with pytest.raises(NoWorkspace, match="name its new path once"):
        sessions.start(home, gone)


def test_a_known_workspace_without_scud_is_still_one(home: Home, shop: Session) -> None:
    shutil.rmtree(shop.path / ".scud")
    assert [session.id for session in sessions.known(home)] == [shop.id]


def test_a_workspace_that_bears_another_id_by_now_is_listed_once(home: Home, shop: Session, bank: Session) -> None:
    save(shop.path, replace(shop.record, id=bank.id))
    shutil.rmtree(bank.path)
    assert [session.id for session in sessions.known(home)] == [bank.id]


def test_the_one_used_is_the_active_one_also_where_a_torn_file_was_set_aside(home: Home, shop: Session) -> None:
    home.sessions_file.write_text("{")
    assert "could not be read" in sessions.use(home, shop)
    assert registry.read(home).active_session_id == shop.id


def test_the_active_one_is_the_one_used_last(home: Home, shop: Session, bank: Session) -> None:
    assert sessions.active(home) is None
    for session in (shop, bank):
        assert sessions.use(home, session) == ""
        found = sessions.active(home)
        assert found is not None
        assert found.id == session.id
    registry.forget(home, bank.id)
    assert sessions.active(home) is None


def test_what_cannot_be_written_down_is_told(home: Home, shop: Session) -> None:
    shutil.rmtree(home.path)
    home.path.write_text("in the way")
    with pytest.raises(Unavailable):
        sessions.use(home, shop)


def test_one_that_runs_is_not_started_again(home: Home, shop: Session) -> None:
    write_run_file(home, run_of(shop))
    registry.forget(home, shop.id)
    answer = sessions.start(home, sessions.at(home, shop.path))
    expected = {"pid": os.getpid(), "http_endpoint": "http://h", "ws_endpoint": "ws://w", "socket": "/s"}
    assert answer == {"id": shop.id, **expected}
    assert registry.read(home).known == {shop.id: str(shop.path)}


def test_a_copy_is_not_started(home: Home, shop: Session) -> None:
    copy = shop.path.with_name("copy")
    shutil.copytree(shop.path, copy)
    with pytest.raises(Conflict, match=f"{copy} and {shop.path} bear the same id"):
        sessions.start(home, sessions.at(home, copy))
    path_in(copy).unlink()
    assert sessions.at(home, copy).rival is None


def test_a_daemon_is_started_in_the_caller_s_settings_and_stopped(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESCARTES_LOG__LEVEL", "debug")
    monkeypatch.setenv("DESCARTES_AGENT_ID", "somebody")
    home = supervised.home
    supervised.connect().close()
    session = sessions.create(home, home.path.parent / "shop")
    answer = sessions.start(home, session)
    entry = supervised.entry(session.id)
    assert (entry["status"], entry["pid"], entry["path"]) == (State.ACTIVE, answer["pid"], str(session.path))
    environ = Path(f"/proc/{answer['pid']}/environ").read_bytes().split(b"\0")
    assert b"DESCARTES_LOG__LEVEL=debug" in environ
    assert b"DESCARTES_AGENT_ID=somebody" not in environ
    assert sessions.stop(home, sessions.at(home, session.path), patience=0.2) == []
    assert supervised.entry(session.id).get("status", State.INACTIVE) == State.INACTIVE


def test_the_last_pair_of_ports_is_asked_for_again(supervised: Supervised) -> None:
    home = supervised.home
    supervised.connect().close()
    session = sessions.create(home, home.path.parent / "shop")
    save(session.path, session.record.with_ports(19_291, 19_391))
    answer = sessions.start(home, sessions.at(home, session.path))
    assert answer["http_endpoint"] == "http://127.0.0.1:19291"
    assert answer["ws_endpoint"] == "ws://127.0.0.1:19391"
    sessions.stop(home, sessions.at(home, session.path), patience=0.2)


def test_a_session_prints_as_json(home: Home, shop: Session) -> None:
    assert json.loads(json.dumps(shop.record.as_json()))["id"] == shop.id
