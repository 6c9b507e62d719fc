"""What is written where tasks lie is heard, however it came there."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from descartes_daemon.tree_watch import GRAPH, TreeWatch
from descartes_local.inotify import Inotify


@pytest.mark.parametrize(
    ("put", "heard"),
    [
        (lambda source, file: file.write_bytes(source.read_bytes()), {False, True}),
        (os.rename, {True}),
        (os.link, {False}),
        (os.symlink, {False}),
    ],
    ids=["written", "renamed", "linked", "symlinked"],
)
def test_a_tree_is_heard_of_however_it_comes(
    tmp_path: Path, put: Callable[[Path, Path], object], heard: set[bool]
) -> None:
    source, file = tmp_path / "source", tmp_path / GRAPH
    file.parent.mkdir(parents=True)
    source.write_text("# SCUD Graph v1")
    told: list[bool] = []
    with closing(Inotify()) as inotify:
        watch = TreeWatch()
        watch.look_out(inotify, tmp_path)
        watch.on_change = told.append
        put(source, file)
        for one in inotify.read():
            watch.hear(one)
    assert set(told) == heard
