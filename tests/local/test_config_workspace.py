from __future__ import annotations

from pathlib import Path

import pytest

from descartes_core.errors import ConfigInvalid
from descartes_local.config import Settings, load
from descartes_local.config_files import Layer
from descartes_local.config_workspace import foreign, is_harmless, lies_in
from descartes_local.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home" / ".descartes")
    home.make()
    return home


def test_nothing_that_could_do_harm_counts() -> None:
    allowed = {
        f"{section}.{key}"
        for section, field in Settings.model_fields.items()
        for key in field.annotation.model_fields  # type: ignore[union-attr]
        if is_harmless(Settings, section, key)
    }
    assert allowed == {"agents.grace", "agents.rows", "agents.cols", "terminals.idle_timeout"}


def test_each_refused_key_is_named_with_its_line_and_does_not_count() -> None:
    text = "[agents]\nrows = 30\ncommand = ['rm']\n[server]\nhttp_port = 1\n"
    tables = {"agents": {"rows": 30, "command": ["rm"]}, "server": {"http_port": 1}, "odd": {"x": 1}, "log": 3}
    layer, wrong = foreign(Layer(Path("/w/.scud/descartes.toml"), tables, text), Settings)
    assert layer.tables == {"agents": {"rows": 30}, "server": {}, "odd": {"x": 1}, "log": 3}
    assert [one.partition(" ")[0] for one in wrong] == ["/w/.scud/descartes.toml:3:", "/w/.scud/descartes.toml:5:"]
    assert "agents.command may not be set by a file in a workspace" in wrong[0]
    assert "~/.descartes/config.toml" in wrong[0]


@pytest.mark.parametrize("where", [".scud/descartes.toml", "config.toml"])
def test_a_workspaces_file_may_not_name_commands(where: str, home: Home, tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    (workspace / ".scud").mkdir(parents=True)
    file = workspace / where
    file.write_text("[agents]\ncommand = ['rm', '-rf', '/']\n")
    config_file = file if where == "config.toml" else None
    with pytest.raises(ConfigInvalid, match=r"agents\.command may not be set"):
        load(home, workspace=workspace, config_file=config_file)
    file.write_text("[agents]\nrows = 40\n")
    assert load(home, workspace=workspace, config_file=config_file).agents.rows == 40


def test_a_link_makes_no_difference(home: Home, tmp_path: Path) -> None:
    """Neither one that leads out of the workspace, nor one that leads into it."""
    workspace, elsewhere = tmp_path / "w", tmp_path / "elsewhere.toml"
    (workspace / ".scud").mkdir(parents=True)
    elsewhere.write_text("")
    out = workspace / ".scud/descartes.toml"
    out.symlink_to(elsewhere)
    into = tmp_path / "into.toml"
    into.symlink_to(workspace / "config.toml")
    (tmp_path / "same").symlink_to(workspace)
    assert lies_in(out, workspace, home)
    assert lies_in(into, workspace, home)
    assert lies_in(tmp_path / "same/config.toml", workspace, home)
    assert lies_in(workspace / "config.toml", tmp_path / "same", home)
    assert not lies_in(elsewhere, workspace, home)
    assert not lies_in(tmp_path / "wide.toml", workspace, home)
    assert not lies_in(elsewhere, None, home)


def test_a_workspace_around_the_whole_home_leaves_the_users_files_alone(home: Home) -> None:
    around = home.path.parent
    assert not lies_in(home.path / "config.toml", around, home)
    assert lies_in(around / "config.toml", around, home)
    inside = home.path / "made-here"
    inside.mkdir()
    assert lies_in(inside / "config.toml", inside, home)
