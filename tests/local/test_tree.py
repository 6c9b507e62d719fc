from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from descartes_core.ids import new_id
from descartes_local.processes import Process, is_alive, process_of, send_signal, stat_of, wait_for_end
from descartes_local.tree import alive, find_tree, find_trees, freeze_tree, kill_tree, signal_all
from tests.support.programs import agent

MARK = "DESCARTES_AGENT_ID"


@dataclass(frozen=True)
class Family:
    """A leader with a child, one in a session of its own, and one that was forked twice."""

    mark: str
    leader: Process
    child: Process
    setsid: Process
    double: Process

    @property
    def all(self) -> set[Process]:
        return {self.leader, self.child, self.setsid, self.double}


def family_of(*options: str) -> Iterator[Family]:
    mark = new_id()
    command = agent("forker", "--deaf", *options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={MARK: mark}, start_new_session=True) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline().decode().split() for _ in range(4)]
        found = {kind: process_of(int(pid)) for kind, pid in lines}
        family = Family(mark, *(_there(found[kind]) for kind in ("ready", "child", "setsid", "double")))
        try:
            yield family
        finally:
            signal_all(family.all, signal.SIGKILL)


def _there(process: Process | None) -> Process:
    assert process is not None
    return process


@pytest.fixture
def family() -> Iterator[Family]:
    yield from family_of()


@pytest.fixture
def cleared() -> Iterator[Family]:
    """Give a family whose descendants have no mark in their environment."""
    yield from family_of("--cleared")


def test_who_left_the_group_still_belongs_to_the_tree(family: Family) -> None:
    assert {family.leader, family.child, family.setsid} <= find_tree({family.leader})


def test_who_was_forked_twice_is_known_by_the_mark(family: Family) -> None:
    assert find_tree({family.leader}, (MARK, family.mark)) == family.all
    assert find_tree(set(), (MARK, family.mark)) == family.all


def test_who_shed_everything_is_not_guessed(cleared: Family) -> None:
    found = find_tree({cleared.leader}, (MARK, cleared.mark))
    assert found == cleared.all - {cleared.double}


def test_what_was_seen_before_is_found_when_its_parent_is_gone(cleared: Family) -> None:
    seen = cleared.all
    send_signal(cleared.leader, signal.SIGKILL)
    assert wait_for_end(cleared.leader, 10.0)
    assert find_tree(seen) == seen - {cleared.leader}


def test_a_root_that_is_another_process_by_now_has_no_tree(family: Family) -> None:
    assert find_tree({Process(family.leader.pid, family.leader.started - 1)}) == set()


def test_we_ourselves_are_never_in_a_tree() -> None:
    me = _there(process_of(os.getpid()))
    assert me not in find_tree({me})


def test_a_frozen_tree_stands_still_and_is_continued(family: Family) -> None:
    stopped = freeze_tree(lambda: find_tree({family.leader}, (MARK, family.mark)))
    assert stopped == family.all
    assert {_state(process) for process in stopped} == {"T"}
    signal_all(stopped, signal.SIGCONT)
    assert alive(stopped) == family.all


def _state(process: Process) -> str:
    found = stat_of(process.pid)
    return found.state if found is not None else ""


def test_a_killed_tree_is_gone_however_deaf_it_was(family: Family) -> None:
    assert kill_tree(lambda: find_tree({family.leader}, (MARK, family.mark))) == family.all
    assert all(wait_for_end(process, 10.0) for process in family.all)
    assert alive(family.all) == set()


def test_killing_nothing_kills_nothing() -> None:
    assert kill_tree(set) == set()


def test_what_is_gone_is_signalled_without_a_word(family: Family) -> None:
    send_signal(family.child, signal.SIGKILL)
    assert wait_for_end(family.child, 10.0)
    signal_all({family.child}, signal.SIGKILL)
    assert is_alive(family.leader)


def test_many_trees_are_found_in_one_walk(family: Family, cleared: Family) -> None:
    found = find_trees({family.mark: {family.leader}, cleared.mark: {cleared.leader}, "gone": set()}, MARK)
    assert found[family.mark] == family.all
    assert found[cleared.mark] == cleared.all - {cleared.double}
    assert found["gone"] == set()


def test_a_tree_whose_leader_is_gone_is_found_by_its_marks(family: Family) -> None:
    signal_all([family.leader], signal.SIGKILL)
    wait_for_end(family.leader, 10.0)
    assert find_trees({family.mark: {family.leader}}, MARK)[family.mark] == family.all - {family.leader}
