"""One token a user, whole, and for nobody else to read."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from descartes_core.errors import Unavailable
from descartes_local.home import Home
from descartes_local.token import read_or_make


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_it_is_made_once(home: Home) -> None:
    token = read_or_make(home)
    assert len(token) >= 43
    assert read_or_make(home) == token
    assert home.token.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.path.iterdir()] == ["token"]


def test_two_users_have_two(tmp_path: Path) -> None:
    homes = [Home(tmp_path / name) for name in "ab"]
    for home in homes:
        home.path.mkdir()
    assert len({read_or_make(home) for home in homes}) == 2


@pytest.mark.parametrize("torn", [None, b"", b"half a tok", b"\xff" * 50])
def test_many_at_once_get_the_same(home: Home, torn: bytes | None) -> None:
    if torn is not None:
        home.token.write_bytes(torn)
    with ThreadPoolExecutor(16) as pool:
        tokens = set(pool.map(lambda _: read_or_make(home), range(64)))
    assert tokens == {read_or_make(home)}


def test_many_processes_at_once_get_the_same(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from descartes_local.home import Home;"
        " from descartes_local.token import read_or_make; print(read_or_make(Home(Path(sys.argv[1]))))"
    )
    command = [sys.executable, "-c", code, str(home.path)]
    asking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert {one.communicate()[0].strip() for one in asking} == {read_or_make(home)}


@pytest.mark.parametrize(
    "torn",
    [b"", b"half a tok", b"\xff" * 50, b"with a\nline in the middle of it all, and long", b"a" * 501, b"\0" * 99],
)
def test_a_torn_one_is_replaced_and_told(home: Home, torn: bytes, caplog: pytest.LogCaptureFixture) -> None:
    home.token.write_bytes(torn)
    home.token.chmod(0o600)
    token = read_or_make(home)
    assert home.token.read_text() == token + "\n"
    assert "new token" in caplog.text


def test_one_that_others_can_read_is_closed_and_told(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    token = read_or_make(home)
    home.token.chmod(0o644)
    assert read_or_make(home) == token
    assert home.token.stat().st_mode & 0o777 == 0o600
    assert "read by others" in caplog.text


def test_one_written_by_hand_is_taken(home: Home) -> None:
    home.token.write_text("x" * 50)
    assert read_or_make(home) == "x" * 50


def test_what_is_no_file_is_named_and_holds_nobody_up(home: Home) -> None:
    os.mkfifo(home.token, 0o600)
    with pytest.raises(Unavailable, match="no regular file: remove it"):
        read_or_make(home)


def test_a_place_that_cannot_be_used_is_named(home: Home) -> None:
    home.token.mkdir()
    with pytest.raises(Unavailable, match=str(home.token)):
        read_or_make(home)
    with pytest.raises(Unavailable, match="No such file"):
        read_or_make(Home(home.path / "nowhere"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_somebody_elses_is_not_believed(home: Home) -> None:
    read_or_make(home)
    os.chown(home.token, 12345, 12345)
    with pytest.raises(Unavailable, match="another user"):
        read_or_make(home)
