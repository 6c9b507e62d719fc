from __future__ import annotations

import os
from pathlib import Path

import pytest

from descartes_cli import surroundings
from descartes_core.errors import InvalidParams


def test_an_agent_gets_everything_but_what_is_its_callers_own() -> None:
    environ = {
        "PATH": "/bin",
        "DESCARTES_HOME": "/d",
        "DESCARTES_AGENT_ID": "a",
        "DESCARTES_PROBE": "p",
        "LISTEN_FDS": "3",
        "NOTIFY_SOCKET": "n",
        "RAW": "\udcff",
    }
    assert surroundings.callers_environment(environ) == {"PATH": "/bin", "DESCARTES_HOME": "/d"}


def test_what_is_no_utf8_is_refused_in_one_line() -> None:
    assert surroundings.check_text("żółw") == "żółw"
    with pytest.raises(InvalidParams, match=r"not UTF-8: b'a\\xff'"):
        surroundings.read_additions(("A=a\udcff",))


def test_the_umask_is_read_and_left_as_it_is() -> None:
    before = os.umask(0o027)
    try:
        assert surroundings.callers_umask() == 0o027
        assert surroundings.callers_umask() == 0o027
    finally:
        os.umask(before)


def test_an_agent_begins_where_its_caller_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, inside = tmp_path / "shop", tmp_path / "shop" / "src"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert surroundings.directory_for(None, shop, is_named=True) == str(inside)
    assert surroundings.directory_for("..", shop, is_named=True) == str(inside / "..")
    monkeypatch.chdir(tmp_path)
    assert surroundings.directory_for(None, shop, is_named=True) == str(shop)
    assert surroundings.directory_for(None, shop, is_named=False) == str(tmp_path)
    assert surroundings.directory_for("x", shop, is_named=True) == str(tmp_path / "x")


def test_a_directory_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(InvalidParams, match="gone"):
        surroundings.directory_for(None, tmp_path, is_named=True)


def test_a_size_is_columns_and_rows() -> None:
    assert surroundings.read_size("120x40") == (120, 40)


@pytest.mark.parametrize("text", ["", "120", "x40", "120x", "0x40", "120x1001", "-1x2", "ax1", "1x2x3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams):
        surroundings.read_size(text)


def test_additions_are_names_and_values() -> None:
    assert surroundings.read_additions(("A=1", "B=", "C=x=y")) == {"A": "1", "B": "", "C": "x=y"}


@pytest.mark.parametrize("text", ["A", "=1", ""])
def test_what_is_no_addition_is_refused(text: str) -> None:
    with pytest.raises(InvalidParams):
        surroundings.read_additions((text,))
