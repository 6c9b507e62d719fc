"""The holder of the lock writes the session's files; others are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import Locked, Unavailable
from descartes_core.session_life import State
from descartes_core.session_record import SessionRecord
from descartes_daemon.session_upkeep import Endpoints, Upkeep
from descartes_local.home import Home
from descartes_local.run_file import read_run_files

ID = "11111111-1111-4111-8111-111111111111"
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
