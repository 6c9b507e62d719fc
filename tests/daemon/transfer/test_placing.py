"""A file has its name when it is whole, also where files without a name cannot be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from descartes_core.errors import AlreadyExists
from descartes_daemon.transfer import placing
from descartes_daemon.transfer.placing import placed


@pytest.fixture(params=["nameless", "named"])
def _kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "named":
        monkeypatch.setattr(placing, "_open_nameless", lambda _directory: None)


@pytest.mark.usefixtures("_kind")
def test_it_is_there_once_it_is_whole(tmp_path: Path) -> None:
    with placed(tmp_path / "x", replace=False) as file:
        file.write(b"whole")
        assert not (tmp_path / "x").exists()
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.usefixtures("_kind")
def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError), placed(tmp_path / "x", replace=False) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_kind")
def test_what_cannot_be_replaced_stays_alone(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError), placed(tmp_path / "x", replace=True) as file:
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.usefixtures("_kind")
def test_what_is_there_stays_or_is_replaced_at_once(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(AlreadyExists), placed(tmp_path / "x", replace=False) as file:
        file.write(b"whole")
    assert (tmp_path / "x").read_bytes() == b"mine"
    with placed(tmp_path / "x", replace=True) as file:
        file.write(b"whole")
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
