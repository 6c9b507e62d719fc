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

from tests.support.person import Person
from tests.support.waiting import wait_until


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
