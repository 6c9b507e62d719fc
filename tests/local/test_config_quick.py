from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from descartes_core.errors import ConfigInvalid
from descartes_local.config_quick import complaint_about, refuse_wrong
from descartes_local.home import Home

SESSION = "0b6c9d6e-3f6e-4e6c-9d55-2f3f1c8a7a11"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "w/.scud").mkdir(parents=True)
    return tmp_path / "w"


def test_who_has_configured_nothing_pays_nothing(home: Home, workspace: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from descartes_local.config_quick import refuse_wrong, complaint_about;"
        " from descartes_local.home import Home; home, workspace = map(Path, sys.argv[1:]);"
        " refuse_wrong(Home(home), workspace=workspace); assert complaint_about(Home(home), workspace=workspace) == '';"
        " assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(home.path), str(workspace)], check=True)


def test_what_is_wrong_is_refused_as_the_daemon_would(home: Home, workspace: Path) -> None:
    refuse_wrong(home, workspace=workspace)
    (home.path / "config.toml").write_text("[log]\nlevel = 'loud'\n")
    with pytest.raises(ConfigInvalid, match=r"config.toml:2: log\.level: "):
        refuse_wrong(home, workspace=workspace)


def test_only_what_a_session_says_itself_is_its_own_fault(home: Home, workspace: Path) -> None:
    (home.path / "config.toml").write_text("[log]\nlevel = 'loud'\n")
    assert complaint_about(home, workspace=workspace, session_id=SESSION) == ""
    (home.path / "config.toml").unlink()
    file = workspace / ".scud/descartes.toml"
    file.write_text("[agents]\ncommand = ['rm']\n")
    assert f"{file}:2: agents.command may not be set" in complaint_about(home, workspace=workspace)
    file.write_text("[agents]\nrows = 30\n")
    assert complaint_about(home, workspace=workspace) == ""


def test_where_nobody_may_look_nothing_is_wrong(home: Home) -> None:
    assert complaint_about(home, workspace=Path(f"/{'x' * 300}"), session_id=SESSION) == ""
