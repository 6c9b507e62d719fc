"""Whose child came from a dead daemon is told by marks and control groups, not guessed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from descartes_core.ids import new_id
from descartes_local.cgroup2 import OURS, Cgroup
from descartes_local.endings import Ending
from descartes_local.processes import Process, command_of, process_of
from descartes_orchestrator.supervisor.exits import Exits
from descartes_orchestrator.supervisor.reaping import Reaper
from tests.support.cgroups import needs_cgroups, real_group
from tests.support.waiting import process_gone, wait_until


@dataclass
class Owner:
    """A session with a living daemon that has adopted one agent, which is a child of ours."""

    id: str
    leaders: set[Process] = field(default_factory=set)
    daemon_pid: int | None = None

    def hear(self) -> None:
        """Nothing was said."""

    def daemon_ended(self, ending: Ending) -> None:
        raise AssertionError(ending)


@contextmanager
def child(**environment: str) -> Iterator[Process]:
    """Give a child of ours, in a session of its own, without any other environment."""
    program = subprocess.Popen(["sleep", "600"], env=environment, start_new_session=True)
    try:
        wait_until(lambda: command_of(program.pid) == "sleep 600", "its environment can be read")
        process = process_of(program.pid)
        assert process is not None
        yield process
    finally:
        program.kill()
        program.wait()


def looked(path: Path, *owners: Owner) -> Reaper:
    reaper = Reaper(lambda: owners, set, Exits(path / "exits"))
    reaper.look()
    return reaper


@needs_cgroups
def test_a_control_group_tells_of_several_sessions_whose_it_is(tmp_path: Path) -> None:
    with real_group() as group, child() as one, child() as other, child() as orphan:
        owners = Owner(new_id(), {one}), Owner(new_id(), {other})
        inside = Cgroup(group.path / OURS / owners[1].id / new_id())
        inside.make()
        inside.take_in(orphan.pid)
        reaper = looked(tmp_path, *owners)
        assert reaper.orphans(owners[0].id) == set()
        assert reaper.orphans(owners[1].id) == {orphan}


def test_a_mark_tells_of_several_sessions_whose_it_is(tmp_path: Path) -> None:
    owners = Owner(new_id()), Owner(new_id())
    with child() as one, child() as other, child(DESCARTES_SESSION_ID=owners[0].id) as orphan:
        owners[0].leaders.add(one)
        owners[1].leaders.add(other)
        reaper = looked(tmp_path, *owners)
        assert reaper.orphans(owners[0].id) == {orphan}
        assert reaper.orphans(owners[1].id) == set()


def test_of_several_sessions_nothing_is_guessed_of_one_only_it_must_be(tmp_path: Path) -> None:
    with child() as one, child() as other, child() as orphan:
        both = Owner(new_id(), {one}), Owner(new_id(), {other})
        reaper = looked(tmp_path, *both)
        assert [reaper.orphans(owner.id) for owner in both] == [set(), set()]
        alone = Owner(new_id(), {one, other})
        assert looked(tmp_path, alone).orphans(alone.id) == {orphan}


@dataclass
class Faulty(Owner):
    """A session that cannot hear, and fails at its daemon's end."""

    def hear(self) -> None:
        raise ZeroDivisionError("a fault in the supervisor")

    def daemon_ended(self, ending: Ending) -> None:
        self.daemon_pid = None
        raise ZeroDivisionError(f"a fault in the supervisor, after {ending}")


@dataclass
class Told(Owner):
    """A session that remembers how its daemon ended."""

    endings: list[Ending] = field(default_factory=list)

    def daemon_ended(self, ending: Ending) -> None:
        self.daemon_pid = None
        self.endings.append(ending)


def test_a_fault_in_one_session_keeps_no_other_from_hearing_of_its_daemon(tmp_path: Path) -> None:
    """Each is reaped once, and nobody could tell it again."""
    daemons = [subprocess.Popen(["sh", "-c", "exit 3"]) for _ in range(3)]
    owners = [Told(new_id()), Faulty(new_id()), Told(new_id())]
    for owner, daemon in zip(owners, daemons, strict=True):
        owner.daemon_pid = daemon.pid
        process_gone(daemon.pid)
        daemon.returncode = 3  # it is the reaper's
    looked(tmp_path, *owners)
    assert [owner.endings for owner in owners if isinstance(owner, Told)] == [[Ending(3, None)], [Ending(3, None)]]
