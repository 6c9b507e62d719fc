"""Who follows sees what starts meanwhile, and costs nothing while nothing happens."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.ids import new_id
from descartes_local.run_file import RunFile, remove_run_file, write_run_file
from tests.support.person import Person
from tests.support.waiting import wait_until

pytestmark = pytest.mark.supervisor("shared")


@pytest.fixture
def following(person: Person) -> Iterator[subprocess.Popen[bytes]]:
    """Follow, from before any session runs."""
    person.home.make()
    with person.start("events", "-f", "--json", stdout=subprocess.PIPE) as started:
        wait_until(lambda: is_watching(started.pid), "it has looked around")
        yield started
        started.kill()


def is_watching(pid: int) -> bool:
    """Whether the kernel tells a process of directories."""
    descriptors = Path(f"/proc/{pid}/fd")
    with contextlib.suppress(OSError):
        return any(os.readlink(one) == "anon_inode:inotify" for one in descriptors.iterdir())
    return False


def woken(pid: int) -> int:
    """Return how often a process has gone to sleep so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def test_what_a_killed_daemon_left_wakes_nobody(person: Person, following: subprocess.Popen[bytes]) -> None:
    gone = RunFile(new_id(), "gone", "/", 2**22, 1, new_id(), "http://h", "ws://w", "/no/socket", "then", "0")
    write_run_file(person.home, gone)
    before = []
    for _ in range(2):  # the first time it may still be looking at the new file
        assert select.select([following.stdout], [], [], 1.5)[0] == []
        before.append(woken(following.pid))
    assert before[0] == before[1]
    remove_run_file(person.home, gone.session_id)


def test_a_session_that_starts_meanwhile_is_followed_at_once(
    person: Person, following: subprocess.Popen[bytes]
) -> None:
    shop = person.workspace("shop")
    assert following.stdout is not None
    for _ in range(2):  # again after it was stopped, from where it had been
        person.run("sessions", "start", shop)
        assert select.select([following.stdout], [], [], 5.0)[0], "within a third of the time between two looks"
        assert "event_type" in json.loads(os.read(following.stdout.fileno(), 65_536).splitlines()[0])
        person.run("sessions", "stop", shop)
