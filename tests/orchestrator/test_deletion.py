from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from descartes_core.errors import AgentsAlive, Conflict, Refused
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.locks import lock_directory
from descartes_local.session_file import path_in
from descartes_orchestrator import deletion, sessions
from descartes_orchestrator.identity import session_of
from descartes_orchestrator.sessions import Session

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")


@pytest.fixture
def adas_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("HOME", str(tmp_path / "ada"))
    return Home(tmp_path / "ada" / ".descartes")


@pytest.fixture
def adas_shop(adas_home: Home, tmp_path: Path) -> Session:
    return sessions.create(adas_home, tmp_path / "ada" / "projects" / "shop")


def test_forgetting_removes_session_json_alone(adas_home: Home, adas_shop: Session) -> None:
    sessions.use(adas_home, adas_shop)
    before = {path for path in adas_shop.path.rglob("*") if path != path_in(adas_shop.path)}
    deletion.carry_out(adas_home, deletion.plan(adas_home, adas_shop))
    assert set(adas_shop.path.rglob("*")) == before
    assert registry.read(adas_home) == registry.Registry()


@pytest.mark.parametrize("place", ["", "ada", "ada/projects/..", "ada/.descartes", "ada/.descartes/sessions/x"])
def test_nobody_s_home_is_removed_nor_anything_above_it(
    adas_home: Home, adas_shop: Session, tmp_path: Path, place: str
) -> None:
    directory = tmp_path / place
    (directory / ".scud").mkdir(parents=True, exist_ok=True)
    found = session_of(adas_home, directory.resolve())
    with pytest.raises(Refused, match="is never removed"):
        deletion.plan(adas_home, found, files=True)


def test_what_lies_in_the_user_s_own_directory_by_their_wish_is_removed(adas_home: Home) -> None:
    made = sessions.create(adas_home, adas_home.path / "work")
    deletion.carry_out(adas_home, deletion.plan(adas_home, made, files=True))
    assert not made.path.exists()


@as_root
@pytest.mark.parametrize("place", ["", "data", "with blank"])
def test_where_a_file_system_is_mounted_nothing_is_removed(adas_home: Home, adas_shop: Session, place: str) -> None:
    mounted = adas_shop.path / place
    mounted.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", mounted], check=True)
    try:
        (adas_shop.path / ".scud").mkdir(exist_ok=True)
        with pytest.raises(Refused, match="mount"):
            deletion.plan(adas_home, session_of(adas_home, adas_shop.path), files=True)
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_workspaces_within_are_told_and_go_with_it(adas_home: Home, adas_shop: Session) -> None:
    inner = sessions.create(adas_home, adas_shop.path / "a" / "inner")
    wanted = deletion.plan(adas_home, adas_shop, files=True)
    assert wanted.inner == (inner.path,)
    deletion.carry_out(adas_home, wanted)
    assert registry.read(adas_home).known == {}
    assert not adas_shop.path.exists()


def test_one_within_that_is_served_by_whomever_keeps_the_whole(adas_home: Home, adas_shop: Session) -> None:
    inner = sessions.create(adas_home, adas_shop.path / "inner")
    lock = lock_directory(inner.path / ".scud")
    assert lock is not None
    try:
        with pytest.raises(Refused, match=f"{inner.path} in it is served"):
            deletion.plan(adas_home, adas_shop, files=True)
    finally:
        os.close(lock)


def test_one_that_came_to_be_served_after_the_plan_keeps_the_whole(adas_home: Home, adas_shop: Session) -> None:
    inner = sessions.create(adas_home, adas_shop.path / "inner")
    wanted = deletion.plan(adas_home, adas_shop, files=True)
    lock = lock_directory(inner.path / ".scud")
    assert lock is not None
    try:
        with pytest.raises(Refused, match="in it is served"):
            deletion.carry_out(adas_home, wanted)
    finally:
        os.close(lock)
    assert path_in(adas_shop.path).exists()


@pytest.mark.parametrize("how", [{"files": True}, {"data": True}])
def test_what_agents_left_running_keeps_their_files(adas_home: Home, adas_shop: Session, how: dict[str, bool]) -> None:
    """Daemon and supervisor were killed together; a program that ignores hang-ups goes on."""
    env = {**os.environ, "DESCARTES_SESSION_ID": adas_shop.id}
    program = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(program, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as left:
        assert left.stdout is not None
        left.stdout.readline()
        with pytest.raises(AgentsAlive, match=f"pid {left.pid}"):
            deletion.plan(adas_home, adas_shop, **how)
        left.communicate(b"\n")
    deletion.plan(adas_home, adas_shop, **how)


def test_somebody_else_s_is_not_deleted(adas_home: Home, adas_shop: Session) -> None:
    lock = lock_directory(adas_shop.path / ".scud")
    assert lock is not None
    code = "import os, sys; os.read(0, 1)"
    holder = [sys.executable, "-c", code, "descartes_daemon"]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, pass_fds=[lock]) as daemon:
        os.close(lock)
        for files in (False, True):
            with pytest.raises(Conflict, match=r"is locked by process \d+"):
                deletion.carry_out(adas_home, deletion.plan(adas_home, adas_shop, files=files))
        daemon.communicate(b"\n")
    assert path_in(adas_shop.path).exists()


def test_what_is_gone_is_only_forgotten(adas_home: Home, adas_shop: Session) -> None:
    adas_shop.path.rename(adas_shop.path.with_name("away"))
    (gone,) = sessions.known(adas_home)
    assert sessions.resolve(adas_home, str(adas_shop.path)) == gone
    deletion.carry_out(adas_home, deletion.plan(adas_home, gone, files=True))
    assert sessions.known(adas_home) == []
    assert adas_shop.path.with_name("away").exists()
