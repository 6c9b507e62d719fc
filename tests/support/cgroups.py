"""Control groups for tests: this machine's own where we may make some, and directories of plain files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.ids import new_id
from descartes_local import cgroup2
from descartes_local.cgroup2 import Cgroup
from descartes_local.home import Home

#: What the kernel puts into each group; the files of a controller come with it.
PLAIN = ("cgroup.procs", "cgroup.controllers", "cgroup.subtree_control", "cgroup.kill")
OF_CONTROLLERS = {
    "memory": ("memory.max", "memory.oom.group", "memory.swap.max", "memory.events"),
    "cpu": ("cpu.max",),
    "pids": ("pids.max", "pids.events"),
}


def may_make_some() -> bool:
    """Say whether the kernel lets us make groups here."""
    own = cgroup2.own()
    return own is not None and cgroup2.may_make(Cgroup(cgroup2.base_of(own).path.parent))


needs_cgroups = pytest.mark.skipif(not may_make_some(), reason="no cgroup v2 that may be written")


def without_groups(home: Home) -> None:
    """Let the daemons of a home make no groups, as where none may be made."""
    home.make()
    (home.path / "config.toml").write_text('[agents]\ncgroups = "off"\n')


@contextlib.contextmanager
def real_group() -> Iterator[Cgroup]:
    """Give a real group of our own, and kill what is left in it."""
    own = cgroup2.own()
    assert own is not None, "asked for where there are groups"
    group = Cgroup(cgroup2.base_of(own).path.parent / f"descartes-test-{new_id()}")
    group.make()
    try:
        yield group
    finally:
        group.kill()
        while not group.remove():
            pass


def plain_group(path: Path, *controllers: str) -> Cgroup:
    """Make a directory of plain files that looks like a group whose children may have these controllers."""
    path.mkdir(parents=True, exist_ok=True)
    for name in (*PLAIN, *(file for one in controllers for file in OF_CONTROLLERS[one])):
        (path / name).touch()
    (path / "cgroup.controllers").write_text(" ".join(controllers))
    return Cgroup(path)
