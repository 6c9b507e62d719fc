"""The holder of the lock writes the session's files; others are refused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Conflict, Locked, Refused, Unavailable
from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord
from descartes_daemon.session_upkeep import Endpoints, Upkeep
from descartes_local.home import Home
from descartes_local.run_file import read_run_files
from descartes_local.session_file import save

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
DOORS = Endpoints("127.0.0.1", 19280, 19380, "/a/socket")


@pytest.fixture
def upkeep(tmp_path: Path) -> Iterator[Upkeep]:
    upkeep = an_upkeep(tmp_path)
    yield upkeep
    for descriptor in upkeep.locks.values():
        os.close(descriptor)


def an_upkeep(directory: Path) -> Upkeep:
    home, shop = Home(directory / "home"), directory / "shop"
    home.make()
    home.session(ID).mkdir(exist_ok=True)
    shop.mkdir(exist_ok=True)
    return Upkeep(home, shop, SessionRecord(ID, "shop", str(shop), "2026-01-01T00:00:00Z", more={"theirs": 1}))


def written(upkeep: Upkeep) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((upkeep.workspace / ".scud/session.json").read_text())
    return found


def test_both_directories_are_locked(upkeep: Upkeep, tmp_path: Path) -> None:
    upkeep.lock({})
    assert sorted(upkeep.locks) == ["lock-data", "lock-workspace"]
    with pytest.raises(Locked, match="another daemon serves"):
        an_upkeep(tmp_path).lock({})


def test_a_lock_in_keeping_goes_on(upkeep: Upkeep, tmp_path: Path) -> None:
    upkeep.lock({})
    following = an_upkeep(tmp_path)
    following.lock(dict(upkeep.locks))
    assert following.locks == upkeep.locks


def test_a_scud_that_was_replaced_is_locked_anew(upkeep: Upkeep, tmp_path: Path) -> None:
    upkeep.lock({})
    (upkeep.workspace / ".scud").rename(upkeep.workspace / "away")
    following = an_upkeep(tmp_path)
    following.lock(dict(upkeep.locks))
    found = os.fstat(following.locks["lock-workspace"])
    assert found.st_ino == (upkeep.workspace / ".scud").stat().st_ino
    upkeep.locks = following.locks


def test_a_workspace_that_is_gone_is_said(upkeep: Upkeep) -> None:
    upkeep.workspace.rmdir()
    with pytest.raises(Unavailable, match="no directory"):
        upkeep.lock({})


def test_what_was_served_before_goes_on_without_its_workspace(upkeep: Upkeep, tmp_path: Path) -> None:
    upkeep.lock({})
    following = an_upkeep(tmp_path)
    (upkeep.workspace / ".scud").rmdir()
    upkeep.workspace.rmdir()
    following.lock(dict(upkeep.locks))
    assert following.locks == {"lock-data": upkeep.locks["lock-data"]}
    assert any("No such file" in notice for notice in following.notices)
    upkeep.locks = following.locks


def test_the_record_follows_the_daemons_life(upkeep: Upkeep) -> None:
    upkeep.lock({})
    upkeep.write(State.STARTING)
    assert (written(upkeep)["status"], written(upkeep)["daemon_info"]) == ("Starting", None)
    upkeep.write(State.ACTIVE, DOORS)
    found = written(upkeep)
    assert (found["status"], found["daemon_info"]["pid"]) == ("Active", os.getpid())
    assert (found["ports"], found["theirs"]) == ({"http": 19280, "ws": 19380}, 1)
    upkeep.withdraw()
    found = written(upkeep)
    assert (found["status"], found["daemon_info"], found["ports"]["ws"]) == ("Inactive", None, 19380)
    assert found["last_accessed"] is not None


def test_a_file_that_was_torn_meanwhile_is_kept_aside(upkeep: Upkeep) -> None:
    upkeep.lock({})
    upkeep.write(State.ACTIVE, DOORS)
    path = upkeep.workspace / ".scud" / "session.json"
    path.write_text('{"id": ')
    upkeep.withdraw()
    assert written(upkeep)["status"] == "Inactive"
    (aside,) = path.parent.glob("session.json.torn-*")
    assert aside.read_text() == '{"id": '


def test_a_daemon_is_found_by_its_run_file(upkeep: Upkeep) -> None:
    upkeep.announce(DOORS)
    (run,) = read_run_files(upkeep.home)
    assert (run.pid, run.instance_id, run.is_alive) == (os.getpid(), upkeep.instance_id, True)
    upkeep.withdraw()
    assert read_run_files(upkeep.home) == []


def test_where_nothing_can_be_written_that_is_told_once(upkeep: Upkeep) -> None:
    (upkeep.workspace / ".scud").write_text("no directory")
    upkeep.lock({})
    upkeep.write(State.STARTING)
    upkeep.write(State.ACTIVE, DOORS)
    assert sorted(upkeep.locks) == ["lock-data"]
    assert [notice for notice in upkeep.notices if "session.json stays as it is" in notice] != []
    assert len(upkeep.notices) == len(set(upkeep.notices))


def test_what_a_command_changed_before_the_locks_were_ours_is_taken_up(upkeep: Upkeep) -> None:
    upkeep.lock({})
    save(upkeep.workspace, replace(upkeep.record, name="renamed", more={"theirs": 2}))
    upkeep.read_again()
    assert (upkeep.record.name, upkeep.record.more) == ("renamed", {"theirs": 2})


def test_what_was_laid_aside_or_became_another_s_is_not_served(upkeep: Upkeep) -> None:
    upkeep.lock({})
    save(upkeep.workspace, replace(upkeep.record, status=State.ARCHIVED))
    with pytest.raises(Refused, match="unarchive"):
        upkeep.read_again()
    save(upkeep.workspace, replace(upkeep.record, id=OTHER))
    with pytest.raises(Conflict, match="by now"):
        upkeep.read_again()


def test_a_scud_that_vanished_is_made_and_locked_anew(upkeep: Upkeep, tmp_path: Path) -> None:
    upkeep.lock({})
    upkeep.write(State.ACTIVE, DOORS)
    before = written(upkeep)
    assert upkeep.is_whole()
    assert upkeep.lock_again() is None
    shutil.rmtree(upkeep.workspace / ".scud")
    assert not upkeep.is_whole()
    assert upkeep.lock_again() == upkeep.locks["lock-workspace"]
    upkeep.write_again()
    assert upkeep.is_whole()
    assert written(upkeep) == before
    with pytest.raises(Locked):
        an_upkeep(tmp_path).lock({})


@pytest.mark.parametrize("content", ["", json.dumps({"id": OTHER, "name": "n", "path": "/", "created_at": ""})])
def test_what_is_not_ours_is_not_whole_and_set_aside(upkeep: Upkeep, content: str) -> None:
    upkeep.lock({})
    upkeep.write(State.ACTIVE, DOORS)
    path = upkeep.workspace / ".scud" / "session.json"
    path.write_text(content)
    assert not upkeep.is_whole()
    upkeep.write_again()
    assert upkeep.is_whole()
    (aside,) = path.parent.glob("session.json.torn-*")
    assert aside.read_text() == content


def test_a_name_is_written_and_announced_while_there_is_a_run_file(upkeep: Upkeep) -> None:
    upkeep.lock({})
    upkeep.write(State.ACTIVE, DOORS)
    upkeep.rename("before")
    assert read_run_files(upkeep.home) == []
    upkeep.announce(DOORS)
    upkeep.rename("store")
    assert (read_run_files(upkeep.home)[0].name, written(upkeep)["name"]) == ("store", "store")
    upkeep.withdraw()
    upkeep.rename("after")
    assert read_run_files(upkeep.home) == []


def test_a_name_that_cannot_be_announced_is_the_name_and_that_is_told_until_it_can(upkeep: Upkeep) -> None:
    upkeep.lock({})
    upkeep.write(State.ACTIVE, DOORS)
    upkeep.announce(DOORS)
    upkeep.home.run.rename(upkeep.home.path / "away")
    upkeep.home.run.write_text("in the way")
    for name in ("store", "storefront"):
        upkeep.rename(name)
        assert (upkeep.record.name, written(upkeep)["name"]) == (name, name)
        assert ["`ps` still shows the name before" in notice for notice in upkeep.notices] == [True]
    upkeep.home.run.unlink()
    (upkeep.home.path / "away").rename(upkeep.home.run)
    upkeep.rename("shop")
    assert (read_run_files(upkeep.home)[0].name, upkeep.notices) == ("shop", [])


def test_what_is_told_takes_the_place_of_what_it_makes_untrue(upkeep: Upkeep) -> None:
    upkeep.tell("one")
    upkeep.tell("other")
    upkeep.tell("one, twice", instead_of="one")
    assert upkeep.notices == ["other", "one, twice"]
