from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from descartes_local.home import Home
from descartes_orchestrator.discovery import find, has_config, is_workspace

REAL_TREES = Path(__file__).parents[3] / "shared" / "scud-trees"

as_nobody = pytest.mark.skipif(os.getuid() != 0, reason="root reads everything, so it must become somebody else")


def scud(*parts: str | Path) -> Path:
    workspace = Path(*parts)
    (workspace / ".scud").mkdir(parents=True)
    return workspace


def test_workspaces_come_sorted_and_nested_ones_too(tmp_path: Path) -> None:
    expected = [scud(tmp_path, name) for name in ("a", "a/inner", "b b", "b b/x/Ærø")]
    assert find([tmp_path], 3).workspaces == expected
    assert find([tmp_path], 3).errors == []


def test_the_root_is_depth_zero(tmp_path: Path) -> None:
    zero, three, four = scud(tmp_path), scud(tmp_path, "1/2/3"), scud(tmp_path, "1/2/3/4")
    assert find([tmp_path], 0).workspaces == [zero]
    assert find([tmp_path], 2).workspaces == [zero]
    assert find([tmp_path], 3).workspaces == [zero, three]
    assert find([tmp_path], 4).workspaces == [zero, three, four]


def test_a_file_called_scud_makes_none(tmp_path: Path) -> None:
    for path in (tmp_path / "a", tmp_path / "1/2/3"):
        path.mkdir(parents=True)
        (path / ".scud").write_text("")
    assert find([tmp_path], 3).workspaces == []


def test_hidden_directories_are_skipped_but_a_hidden_root_is_not(tmp_path: Path) -> None:
    scud(tmp_path, ".cache/a")
    assert find([tmp_path], 3).workspaces == []
    assert find([tmp_path / ".cache"], 3).workspaces == [tmp_path / ".cache/a"]


@pytest.mark.parametrize("depth", ["a", "1/2/3"])
def test_a_config_that_is_ours_marks_and_one_of_others_does_not(depth: str, tmp_path: Path) -> None:
    for name, text in (
        ("ours", "[server]\nhttp_port = 1\n"),
        ("hugo", "baseURL = 'https://x/'\n[params]\n"),
        ("cargo", "[build]\njobs = 1\n"),
    ):
        (tmp_path / name / depth).mkdir(parents=True)
        (tmp_path / name / depth / "config.toml").write_text(text)
    assert find([tmp_path / "ours", tmp_path / "hugo", tmp_path / "cargo"], 3).workspaces == [tmp_path / "ours" / depth]


def test_a_pipe_called_config_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.toml")
    assert find([tmp_path], 3).workspaces == []


def test_a_symlink_loop_is_survived_and_told(tmp_path: Path) -> None:
    workspace = scud(tmp_path, "a")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    found = find([tmp_path], 50)
    assert found.workspaces == [workspace]
    assert found.errors == [
        (tmp_path / "a" / "up", f"symlink loop: it leads back to {tmp_path}"),
        (tmp_path / "itself", "Too many levels of symbolic links"),
    ]


def test_what_a_symlink_leads_to_is_found_once_by_its_own_path(tmp_path: Path) -> None:
    real = scud(tmp_path, "elsewhere", "shop")
    (tmp_path / "projects").mkdir()
    for name in "ab":
        (tmp_path / "projects" / name).symlink_to(real)
    assert find([tmp_path / "projects"], 3).workspaces == [real]
    assert find([tmp_path / "projects"], 1).workspaces == [real]


def test_a_shortcut_shows_what_lies_too_deep_otherwise(tmp_path: Path) -> None:
    deep = scud(tmp_path, "1/2/3/4")
    (tmp_path / "z").symlink_to(tmp_path / "1/2/3")
    assert find([tmp_path], 3).workspaces == [deep]


def test_overlapping_roots_are_reported_once(tmp_path: Path) -> None:
    workspace = scud(tmp_path, "projects", "shop")
    roots = [tmp_path, tmp_path / "projects", workspace, tmp_path / "projects" / ".." / "projects"]
    assert find(roots, 3).workspaces == [workspace]
    assert find(roots, 3).errors == []


def test_a_relative_root_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = scud(tmp_path, "shop")
    monkeypatch.chdir(tmp_path)
    assert find([Path(".")], 3).workspaces == [workspace]


def test_a_root_that_is_not_there_or_no_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = find([tmp_path / "gone", tmp_path / "file"], 3)
    assert found.errors == [(tmp_path / "file", "Not a directory"), (tmp_path / "gone", "No such file or directory")]


@as_nobody
@pytest.mark.parametrize("hidden", ["secret", "1/2/secret"])
def test_what_is_not_for_us_to_read_is_told_and_the_others_are_found(hidden: str, tmp_path: Path) -> None:
    workspace = scud(tmp_path, "shop")
    scud(tmp_path, hidden)
    (tmp_path / hidden).chmod(0)
    (tmp_path / "shop" / "config.toml").touch(0)
    code = (
        "import os, sys; from pathlib import Path; from descartes_orchestrator.discovery import find\n"
        "os.setuid(65534); found = find([Path(sys.argv[1])], 3)\n"
        "print(*found.workspaces); print(*found.errors)"
    )
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    expected = f"{workspace}\n({tmp_path / hidden!r}, 'Permission denied')\n"
    assert (done.stdout, done.stderr) == (expected, "")


def test_the_user_s_own_directory_is_no_workspace_and_what_we_keep_there_is_not_searched(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    scud(home.path)
    (home.path / "config.toml").write_text("[log]\nlevel = 'info'\n")
    theirs = scud(home.path, "work")
    for name in ("sessions", "run", "log", "keys"):
        scud(home.path, name, "x")
    sessions = scud(tmp_path, "sessions")
    assert find([tmp_path, home.path], 3, home=home).workspaces == [theirs, sessions]
    assert find([home.path], 0, home=home).workspaces == []


def test_a_home_that_is_not_there_yet_is_no_matter(tmp_path: Path) -> None:
    workspace = scud(tmp_path, "shop")
    assert find([tmp_path], 3, home=Home(tmp_path / "none")).workspaces == [workspace]


def test_one_directory_can_be_asked(tmp_path: Path) -> None:
    assert is_workspace(str(scud(tmp_path, "a")))
    assert not is_workspace(str(tmp_path))
    assert not has_config(str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        is_workspace(str(tmp_path / "file"))


def test_a_name_that_is_no_utf_8_is_found(tmp_path: Path) -> None:
    odd = scud(tmp_path, os.fsdecode(b"\xff\xfe"))
    assert find([tmp_path], 3).workspaces == [odd]


@pytest.mark.skipif(not REAL_TREES.is_dir(), reason="the real trees are not here")
def test_the_real_trees_are_found(tmp_path: Path) -> None:
    shutil.copytree(REAL_TREES, tmp_path / "trees")
    names = [path.name for path in find([tmp_path], 3).workspaces]
    assert names == ["coalgas", "descartes", "hl_project"]


def test_a_scud_that_is_a_link_to_elsewhere_makes_none_and_is_told(tmp_path: Path) -> None:
    victim = scud(tmp_path / "victim")
    for cloned in (tmp_path / "cloned", tmp_path / "1/2/3"):
        cloned.mkdir(parents=True)
        (cloned / ".scud").symlink_to(victim / ".scud")
    found = find([tmp_path], 3)
    assert found.workspaces == [victim]
    assert {reason for _, reason in found.errors} == {"it is a link that leaves its workspace"}
    assert len(found.errors) == 2
