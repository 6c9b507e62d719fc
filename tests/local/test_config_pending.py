from __future__ import annotations

import json
from pathlib import Path

import pytest

from descartes_local.config import examine, files
from descartes_local.config_pending import (
    Change,
    Pending,
    PendingWatch,
    as_kept,
    pending_changes,
    stamps_of,
    started_with,
    write_start,
)
from descartes_local.home import Home, make_private

SESSION = "0b6c9d6e-3f6e-4e6c-9d55-2f3f1c8a7a11"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    make_private(home.session(SESSION))
    return home


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "w/.scud").mkdir(parents=True)
    return tmp_path / "w"


def start(home: Home, workspace: Path, config_file: Path | None = None) -> Path:
    """Write down what a daemon that starts now would."""
    stamps = stamps_of(files(home, workspace=workspace, session_id=SESSION, config_file=config_file))
    found = examine(home, workspace=workspace, session_id=SESSION, config_file=config_file)
    file = started_with(home, SESSION)
    write_start(file, as_kept(found.values(with_environment=False)), stamps, config_file=config_file)
    return file


def test_where_no_start_is_known_nothing_is_pending(home: Home, workspace: Path) -> None:
    assert not pending_changes(home, SESSION, workspace)
    for garbage in ("", "[]", "{}", '{"values": 1, "files": 2, "config_file": 3}', "\0"):
        started_with(home, SESSION).write_text(garbage)
        assert pending_changes(home, SESSION, workspace) == Pending()


def test_a_changed_key_is_told_until_it_is_as_before(home: Home, workspace: Path) -> None:
    config = home.path / "config.toml"
    config.write_text("[agents]\nrows = 30\n")
    start(home, workspace)
    assert not pending_changes(home, SESSION, workspace)
    config.write_text("[agents]\nrows = 50\ncommand = ['claude', '--api-key', 'hunter2']\n")
    pending = pending_changes(home, SESSION, workspace)
    assert pending.changes == (
        Change("agents.command", [], ["claude", "--api-key", "***"]),
        Change("agents.rows", 30, 50),
    )
    assert "agents.rows" in pending.notice
    config.write_text("# as before\n[agents]\nrows = 30\n")
    assert not pending_changes(home, SESSION, workspace)
    config.unlink()
    assert pending_changes(home, SESSION, workspace).changes == (Change("agents.rows", 30, 24),)


def test_a_file_that_was_not_there_counts(home: Home, workspace: Path) -> None:
    start(home, workspace)
    (workspace / ".scud/descartes.toml").write_text("[agents]\ngrace = 3\n")
    assert [change.key for change in pending_changes(home, SESSION, workspace).changes] == ["agents.grace"]


def test_what_is_wrong_by_now_is_told(home: Home, workspace: Path) -> None:
    start(home, workspace)
    file = workspace / ".scud/descartes.toml"
    file.write_text("[agents]\ncommand = ['rm']\n")
    pending = pending_changes(home, SESSION, workspace)
    assert "agents.command may not be set" in pending.error
    assert "refused" in pending.notice
    file.write_text("[")
    assert "not TOML" in pending_changes(home, SESSION, workspace).error


def test_what_the_environment_settled_is_not_compared(
    home: Home, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESCARTES_AGENTS__ROWS", "40")
    monkeypatch.setenv("DESCARTES_AGENTS__COMMAND", '["x", "--token", "hunter2"]')
    file = start(home, workspace)
    assert "hunter2" not in file.read_text()
    monkeypatch.delenv("DESCARTES_AGENTS__ROWS")
    (home.path / "config.toml").write_text("[agents]\nrows = 50\n[discovery]\nmax_depth = 9\n")
    assert not pending_changes(home, SESSION, workspace)


def test_no_secret_of_a_command_is_written_twice(home: Home, workspace: Path) -> None:
    (home.path / "config.toml").write_text("[agents]\ncommand = ['x', '--token=hunter2']\n")
    file = start(home, workspace)
    assert "hunter2" not in file.read_text()
    assert json.loads(file.read_text())["values"]["agents.command"][0] == ["x", "--token=***"]
    (home.path / "config.toml").write_text("[agents]\ncommand = ['x', '--token=hunter3']\n")
    assert [change.key for change in pending_changes(home, SESSION, workspace).changes] == ["agents.command"]


def test_the_named_file_is_remembered(home: Home, workspace: Path, tmp_path: Path) -> None:
    named = tmp_path / "named.toml"
    named.write_text("[log]\nlevel = 'debug'\n")
    start(home, workspace, named)
    named.write_text("[log]\nlevel = 'error'\n")
    assert pending_changes(home, SESSION, workspace).changes == (Change("log.level", "debug", "error"),)
    named.unlink()
    assert "no such file" in pending_changes(home, SESSION, workspace).error


def test_who_asks_again_and_again_is_told_of_each_change(home: Home, workspace: Path) -> None:
    start(home, workspace)
    watch = PendingWatch(home, SESSION, workspace, every=0)
    assert watch.notice() == ""
    file = home.path / "config.toml"
    file.write_text("[agents]\ngrace = 3\n")
    assert "agents.grace" in watch.notice()
    assert "agents.grace" in watch.notice()
    file.unlink()
    assert watch.notice() == ""


def test_a_daemon_that_is_asked_again_and_again_looks_now_and_then(home: Home, workspace: Path) -> None:
    start(home, workspace)
    watch = PendingWatch(home, SESSION, workspace, every=3600)
    assert watch.notice() == ""
    (home.path / "config.toml").write_text("[agents]\ngrace = 3\n")
    assert watch.notice() == "", "it has looked a moment ago"
