"""The kernel tells of directories."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_local.inotify import DELETE, IGNORED, MOVE_SELF, MOVED_FROM, ONLYDIR, Inotify


@pytest.fixture
def inotify() -> Iterator[Inotify]:
    found = Inotify()
    yield found
    found.close()


def test_at_rest_there_is_nothing_to_read(inotify: Inotify, tmp_path: Path) -> None:
    inotify.add(tmp_path, DELETE)
    (tmp_path / "new").write_text("")
    assert inotify.read() == []
    assert not select.select([inotify.descriptor], [], [], 0)[0]


@pytest.mark.parametrize("name", ["a", "session.json", "żółw " * 20, os.fsdecode(b"\xff")])
def test_what_goes_is_told_by_name(inotify: Inotify, tmp_path: Path, name: str) -> None:
    number = inotify.add(tmp_path, DELETE | MOVED_FROM)
    (tmp_path / name).write_text("")
    (tmp_path / name).unlink()
    (tmp_path / name).write_text("")
    (tmp_path / name).rename(tmp_path / "other")
    told = inotify.read()
    assert [(one.number, one.mask, one.name) for one in told] == [
        (number, DELETE, os.fsencode(name)),
        (number, MOVED_FROM, os.fsencode(name)),
    ]


def test_the_same_directory_has_the_same_number_and_a_removed_one_is_ignored(inotify: Inotify, tmp_path: Path) -> None:
    number = inotify.add(tmp_path, MOVE_SELF)
    assert inotify.add(tmp_path, MOVE_SELF) == number
    tmp_path.rename(tmp_path.with_name("moved"))
    inotify.remove(number)
    assert [one.mask for one in inotify.read()] == [MOVE_SELF, IGNORED]
    with pytest.raises(OSError, match="Invalid argument"):
        inotify.remove(number)


def test_what_is_not_there_or_no_directory_is_refused(inotify: Inotify, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError):
        inotify.add(tmp_path / "gone", DELETE)
    with pytest.raises(NotADirectoryError):
        inotify.add(tmp_path / "file", DELETE | ONLYDIR)
