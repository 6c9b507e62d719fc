from __future__ import annotations

from pathlib import Path

import pytest

from descartes_local.config_places import environment_names, files, is_configured
from descartes_local.home import Home

SESSION = "0b6c9d6e-3f6e-4e6c-9d55-2f3f1c8a7a11"


def test_earlier_files_win() -> None:
    home, workspace, named = Home(Path("/h")), Path("/w"), Path("/n.toml")
    assert files(home) == [Path("/h/config.toml"), Path("/h/daemon.toml")]
    assert files(home, workspace=workspace, session_id=SESSION, config_file=named) == [
        named,
        Path(f"/h/sessions/{SESSION}/config.toml"),
        Path("/w/.scud/descartes.toml"),
        Path("/h/config.toml"),
        Path("/h/daemon.toml"),
    ]


def test_only_nested_names_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCARTES_HOME", "/h")
    monkeypatch.setenv("descartes_agents__rows", "3")
    assert environment_names() == ["descartes_agents__rows"]


def test_it_is_known_whether_anything_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, workspace = Home(tmp_path / "home"), tmp_path / "w"
    assert not is_configured(home, workspace=workspace, session_id=SESSION)
    (workspace / ".scud").mkdir(parents=True)
    (workspace / ".scud/descartes.toml").symlink_to("nowhere")  # to be told, not to be passed over
    assert is_configured(home, workspace=workspace)
    assert not is_configured(home)
    monkeypatch.setenv("DESCARTES_LOG__LEVEL", "debug")
    assert is_configured(home)
