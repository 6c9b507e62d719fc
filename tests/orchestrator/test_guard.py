"""A daemon that is somebody else's child is watched, or not taken over; never taken for dead while it lives."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator

import pytest

from descartes_core.errors import Unavailable
from descartes_core.ids import new_id
from descartes_local.endings import Ending
from descartes_local.home import Home
from descartes_local.processes import Process, process_of
from descartes_orchestrator.supervisor.daemon import Daemon, log_of
from descartes_orchestrator.supervisor.guard import Guard
from descartes_orchestrator.supervisor.house import PROGRAM, Wanted
from descartes_orchestrator.supervisor.loop import Loop
from descartes_orchestrator.supervisor.numbers import Numbers
from descartes_orchestrator.supervisor.sessions import Sessions


@pytest.fixture
def loop() -> Iterator[Loop]:
    found = Loop()
    yield found
    found.close()


@pytest.fixture
def sleeper() -> Iterator[Process]:
    with subprocess.Popen(["sleep", "600"]) as program:
        process = process_of(program.pid)
        assert process is not None
        yield process
        program.kill()


def unexpected(ending: Ending) -> None:
    raise AssertionError(ending)


def test_want_of_descriptors_is_no_death(loop: Loop, sleeper: Process) -> None:
    """A renewed supervisor that took it for one would start a second daemon beside the first."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        with pytest.raises(OSError, match="Too many open files") as caught:
            Guard(loop, sleeper, unexpected)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert caught.value.errno == errno.EMFILE


def test_another_process_of_that_number_is_not_watched(loop: Loop, sleeper: Process) -> None:
    with pytest.raises(Unavailable, match="has ended"):
        Guard(loop, Process(sleeper.pid, sleeper.started + 1), unexpected)


def test_one_that_cannot_be_taken_over_leaves_nothing_open(loop: Loop, home: Home, sleeper: Process) -> None:
    home.make()
    sessions = Sessions(loop, home, Numbers(), program=PROGRAM, environment={}, own=set)
    wanted = Wanted(new_id(), "shop", str(home.path))
    before = os.listdir("/proc/self/fd")
    dead = Daemon(sleeper.pid, "shop", log_of(home, wanted.id), 0, started=sleeper.started + 1)
    with pytest.raises(Unavailable, match="cannot be taken over"):
        sessions.take_over(wanted, dead)
    assert os.listdir("/proc/self/fd") == before
    assert not home.notify_socket(wanted.id).exists()
