from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descartes_core.errors import Conflict, Unavailable
from descartes_core.ids import new_id
from descartes_local import registry
from descartes_local.home import Home
from descartes_local.registry import Removal
from descartes_orchestrator.removal import finish, left_of, remove

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root mounts")

ID = new_id()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    place = tmp_path / "projects" / "shop"
    (place / "src").mkdir(parents=True)
    (place / "src" / "code").write_text("x")
    return place


def anything(_: Path) -> bool:
    return True


def test_all_of_it_is_gone_and_nothing_is_remembered(home: Home, tree: Path) -> None:
    remove(home, tree, ID, anything)
    assert list(tree.parent.iterdir()) == []
    assert (left_of(home), registry.read(home)) == ([], registry.Registry())


def test_what_lay_there_is_known_no_more_in_the_same_write(home: Home, tree: Path) -> None:
    """Who is killed right after it must not leave a session that no path names any more."""
    inner, beside = new_id(), new_id()
    for identity, path in ((ID, tree), (inner, tree / "src"), (beside, tree.with_name("shop-2"))):
        registry.remember(home, identity, str(path))
    remove(home, tree, ID, anything)
    assert set(registry.read(home).known) == {beside}


def test_nothing_is_removed_through_links(home: Home, tree: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "kept").write_text("")
    (tree / "link").symlink_to(precious)
    (tree / "src" / "deeper").symlink_to(precious)
    (tree / "loop").symlink_to(tree)
    os.link(precious / "kept", tree / "hard")
    os.mkfifo(tree / "pipe")
    remove(home, tree, ID, anything)
    assert [path.name for path in precious.iterdir()] == ["kept"]


def test_a_directory_that_became_a_link_at_the_last_moment_is_let_be(home: Home, tree: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "kept").write_text("")
    tree.rename(tree.with_name("away"))
    tree.symlink_to(precious)
    with pytest.raises(Conflict, match="replaced by something else"):
        remove(home, tree, ID, lambda renamed: not renamed.is_symlink())
    assert (precious / "kept").exists()
    assert tree.is_symlink()
    assert left_of(home) == []


def test_a_very_deep_tree_goes_too(home: Home, tree: Path) -> None:
    """By the names of all directories above it nobody could reach it, and a walk by recursion would end."""
    here = os.open(tree, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deeper", dir_fd=here)
        below = os.open("deeper", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    remove(home, tree, ID, anything)
    assert list(tree.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 255, "żółw" * 30, os.fsdecode(b"\xff" * 200), "-rf", "two\nlines"])
def test_a_directory_of_any_name_goes(name: str, home: Home, tmp_path: Path) -> None:
    place = tmp_path / name
    place.mkdir()
    (place / name).write_text("")
    remove(home, place, ID, anything)
    assert not place.exists()
    assert [path for path in tmp_path.iterdir() if "deleted" in path.name] == []


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(tuple), st.booleans()))
def test_any_tree_goes(tree: dict[tuple[str, ...], bool]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "shop"
        place.mkdir()
        for path, is_file in tree.items():
            there = place.joinpath(*path)
            if any(above.is_file() for above in (there, *there.parents)) or there.exists():
                continue
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text("") if is_file else there.mkdir()
        remove(Home(Path(directory) / "home"), place, ID, anything)
        assert os.listdir(directory) == ["home"]


def test_what_is_gone_already_is_finished(home: Home, tree: Path) -> None:
    registry.remember(home, ID, str(tree))
    finish(home, Removal(str(tree), str(tree.with_name("gone")), ID))
    assert registry.read(home).known == {ID: str(tree)}
    finish(home, Removal(str(tree), "/no/such/place/gone", ID))
    assert tree.exists()


@as_root
@pytest.mark.parametrize("place", ["mounted", "src/mounted"])
@pytest.mark.parametrize("bind", [True, False])
def test_another_file_system_in_it_is_not_touched_and_a_repeat_goes_on(
    place: str, bind: bool, home: Home, tree: Path, tmp_path: Path
) -> None:
    """Whoever plans a removal refuses this; somebody may mount it a moment later."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (tree / place).mkdir()
    kind = ["--bind", precious] if bind else ["-t", "tmpfs", "tmpfs"]
    subprocess.run(["mount", *kind, tree / place], check=True)
    try:
        (tree / place / "kept").write_text("")
        with pytest.raises(Unavailable, match=r"cannot be removed whole: .*busy"):
            remove(home, tree, ID, anything)
        (left,) = left_of(home)
        assert len(list(Path(left.trash).rglob("kept"))) == 1
    finally:
        mounted = next(Path(left.trash).rglob("mounted")) if left_of(home) else tree / place
        subprocess.run(["umount", mounted], check=True)
    finish(home, left)
    assert list(tree.parent.iterdir()) == []
    assert (precious / "kept").exists() is bind


def test_what_cannot_be_renamed_is_whole_and_nothing_is_remembered(home: Home, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be removed"):
        remove(home, tmp_path / "gone", ID, anything)
    assert left_of(home) == []


def test_what_was_only_intended_is_forgotten_with_the_next(home: Home, tree: Path) -> None:
    home.make()
    with registry.updating(home) as change:
        change.registry = replace(change.registry, removing=(Removal("/a", "/no/such/trash", ID),))
    assert left_of(home) == []
    remove(home, tree, ID, anything)
    assert registry.read(home).removing == ()


def test_two_that_remove_the_same_both_finish(home: Home, tree: Path) -> None:
    for number in range(200):
        (tree / f"{number % 10}" / f"{number}").mkdir(parents=True)
    home.make()
    trash = tree.rename(tree.with_name(".shop.deleted-1"))
    faults: list[Exception] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as fault:
            faults.append(fault)

    removal = Removal(str(tree), str(trash), ID)
    threads = [threading.Thread(target=run, args=(lambda: finish(home, removal),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not trash.exists()
    assert faults == []
