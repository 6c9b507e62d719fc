"""Whatever the fork server does, daemons are started, and the supervisor says how."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import DaemonStartFailed
from descartes_core.ids import new_id
from descartes_core.restart import RestartRule
from descartes_local.rpc_client import Connection
from descartes_local.supervisor_client import ensure
from descartes_orchestrator.supervisor.forks import Forks
from descartes_orchestrator.supervisor.loop import Loop
from tests.support.person import Person
from tests.support.waiting import wait_until

FORKING = str(Path(__file__).parent / "programs" / "forking.py")


class Forking:
    """A supervisor whose fork server has a manner of its own."""

    def __init__(self, person: Person, manner: str) -> None:
        self.person, self.manner = person, manner

    def connect(self) -> Connection:
        """Reach it, or start it."""
        return ensure(self.person.home, command=(sys.executable, "-P", FORKING, self.manner))

    def start(self, name: str) -> dict[str, Any]:
        """Start a daemon for a workspace of this name."""
        path = str(self.person.workspace(name))
        with self.connect() as connection:
            asked = {"id": new_id(), "name": name, "path": path, "ports": None, "config": None, "env": {}}
            where: dict[str, Any] = connection.call("start", asked)
            return where

    def told(self) -> dict[str, Any]:
        """Return what `status` tells of the fork server."""
        with self.connect() as connection:
            told: dict[str, Any] = connection.call("status")["fork_server"]
            return told

    @property
    def log(self) -> str:
        """What the supervisor has written."""
        return (self.person.home.log / "supervisor.log").read_text()


@pytest.mark.parametrize("manner", ["nonsense", "list", "no pid", "stranger", "torn", "endless"])
def test_a_fork_server_that_answers_nonsense_is_replaced_and_the_daemon_starts(person: Person, manner: str) -> None:
    forking = Forking(person, manner)
    assert forking.start("shop")["pid"] > 1
    assert "the fork server forked no daemon" in forking.log
    assert "descartes-daemon shop is started by exec" in forking.log


def test_no_room_for_a_process_is_told_to_the_caller(person: Person) -> None:
    with pytest.raises(DaemonStartFailed, match="no process can be made"):
        Forking(person, "no room").start("shop")


@pytest.mark.parametrize("manner", ["broken", "killed"])
def test_a_fork_server_that_never_becomes_ready_is_given_up_and_that_is_told(person: Person, manner: str) -> None:
    """Each daemon starts all the same; the tries are bounded, and further apart each time."""
    person.home.make()
    (person.home.path / "config.toml").write_text("[supervisor]\nfirst_pause = 0.01\nlongest_pause = 0.01\n")
    forking = Forking(person, manner)
    assert forking.start("shop")["pid"] > 1
    wait_until(lambda: "is not started again" in (forking.told()["trouble"] or ""), "it is given up")
    assert forking.told()["pid"] is None
    begun = forking.log.count("begins")
    assert forking.start("other")["pid"] > 1
    assert forking.log.count("begins") == begun
    assert "descartes-daemon other is started by exec: the fork server ended before it was ready" in forking.log


@pytest.mark.soak
def test_nobody_waits_for_long_for_a_fork_server_that_loads_for_ever(person: Person) -> None:
    """Also those who come first, and wait for a while."""
    forking = Forking(person, "loads for ever")
    assert forking.start("shop")["pid"] > 1
    assert forking.start("other")["pid"] > 1
    for name in ("shop", "other"):
        assert f"descartes-daemon {name} is started by exec: the fork server is not ready" in forking.log


def test_one_that_is_begun_before_its_time_is_the_only_one(tmp_path: Path) -> None:
    """A renewal that fails has one begin at once, also where the pause after a death is not over."""
    begun, loop = tmp_path / "begun", Loop()
    script = f"echo >> {begun}; [ $(wc -l < {begun}) = 1 ] || exec sleep 600"
    forks = Forks(loop, RestartRule(first_pause=0.2), ["/bin/sh", "-c", script], {}, tmp_path / "log", lambda: True)
    forks.begin()
    (dead,) = forks.pids

    def come_back_once() -> None:
        if not forks.pids:
            forks.come_back()
            loop.later(0.3, loop.stop)  # the next one was to begin after 0.2 s

    loop.run(come_back_once)
    (living,) = forks.pids
    forks.close()
    loop.close()
    for pid in (dead, living):
        os.waitpid(pid, 0)
    assert begun.read_text() == "\n\n"
