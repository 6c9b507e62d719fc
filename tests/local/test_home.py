from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from descartes_core.errors import ConfigInvalid, Unavailable
from descartes_core.ids import new_id
from descartes_local.home import LONGEST_SOCKET_PATH, Home, find_home, make_private


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert find_home() == Home(Path("/home/ann/.descartes"))
    monkeypatch.setenv("DESCARTES_HOME", "/srv/d")
    assert find_home() == Home(Path("/srv/d"))


def test_without_any_home_it_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    with pytest.raises(ConfigInvalid, match="neither HOME nor DESCARTES_HOME is set"):
        find_home()


@pytest.mark.parametrize("name", ["HOME", "DESCARTES_HOME"])
def test_a_relative_home_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "somewhere")
    with pytest.raises(ConfigInvalid, match=f"{name} must be an absolute path"):
        find_home()


def test_everything_is_made_for_nobody_else_to_read(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    home.make()
    home.make()
    for directory in (home.path, home.run, home.sockets, home.log, home.path / "sessions", home.path / "keys"):
        assert mode_of(directory) == 0o700


def test_a_directory_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(tmp_path)
    assert mode_of(tmp_path) == 0o700


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(Unavailable, match="set DESCARTES_HOME"):
        Home(tmp_path / "home").make()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_somebody_else_s_directory_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    with pytest.raises(Unavailable, match="belongs to another user"):
        make_private(tmp_path)


def test_sockets_of_a_deep_home_lie_where_their_paths_are_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    deep, other = (Home(tmp_path / letter / ("deep/" * 30)) for letter in "ab")
    assert deep.sockets != other.sockets
    session = new_id()
    for path in (deep.supervisor_socket, deep.daemon_socket(session), deep.notify_socket(session)):
        assert path.is_relative_to("/run/user/7")
        assert len(os.fsencode(path)) <= LONGEST_SOCKET_PATH


def test_without_a_runtime_directory_they_lie_in_tmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert Home(Path("/" + "d" * 120)).sockets.parent == Path("/tmp")


def test_every_place_has_its_name() -> None:
    home, session = Home(Path("/h")), "0b6c9d6e-3f6e-4e6c-9d55-2f3f1c8a7a11"
    assert home.token == Path("/h/token")
    assert home.sessions_file == Path("/h/sessions.json")
    assert home.session(session) == Path(f"/h/sessions/{session}")
    assert home.run_file(session) == Path("/h/run/0b6c9d6e.json")
    assert home.supervisor_socket == Path("/h/run/supervisor.sock")
    assert home.daemon_socket(session) == Path("/h/run/0b6c9d6e.sock")


def test_a_link_where_sockets_would_lie_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory that all share anybody may have made it, and would choose where we listen."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    home, ours = Home(tmp_path / ("deep/" * 30)), tmp_path / "ours"
    ours.mkdir(mode=0o755)
    home.sockets.symlink_to(ours)
    with pytest.raises(Unavailable, match="is a link"):
        home.make()
    assert mode_of(ours) == 0o755
    home.sockets.unlink()
    home.make()
