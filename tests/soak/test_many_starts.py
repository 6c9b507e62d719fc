"""Thousands of daemons start and end, and supervisor and fork server are as they were."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from descartes_core.ids import new_id
from descartes_local.rpc_client import Connection
from descartes_local.supervisor_client import ensure
from tests.support.person import Person
from tests.support.storm import ask
from tests.support.waiting import process_gone, wait_until
from tests.support.weight import MEBIBYTE, Weight, files_in, own_memory_of, weight_of

#: So many live at once.
TOGETHER = 5
#: Every so many is killed, and started again, before it is stopped.
KILLED = 4
#: What allocators and logs may take for good; the same for a hundred and for ten thousand.
SLACK = 2 * MEBIBYTE


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "count",
    [pytest.param(100, id="100", marks=pytest.mark.soak), pytest.param(10_000, id="10k", marks=pytest.mark.soak)],
)
def test_supervisor_and_fork_server_do_not_grow_with_starts(person: Person, count: int) -> None:
    places = [person.workspace(f"shop-{number}") for number in range(TOGETHER)]
    names = {str(place): new_id() for place in places}
    # The connection keeps the supervisor from ending for want of sessions.
    with ensure(person.home) as connection, ThreadPoolExecutor(TOGETHER) as pool:
        ours = _begin(pool, person, names, connection)
        before = _weigh(connection, ours)
        files = files_in(person.home.run)
        for _ in range(0, count, TOGETHER):
            list(pool.map(_start_and_stop, [person] * TOGETHER, names.items(), range(TOGETHER)))
        after = _weigh(connection, ours)
        assert files_in(person.home.run) == files
    for name, was, now in zip(("supervisor", "fork server"), before, after, strict=True):
        print(f"{name}: {was}; after {count} starts {now}")
        assert now.memory - was.memory <= SLACK
        assert (now.descriptors, now.threads, now.zombies) == (was.descriptors, 1, 0)


def _begin(pool: ThreadPoolExecutor, person: Person, names: dict[str, str], connection: Connection) -> tuple[int, int]:
    """Start and stop each once, so that all is loaded that ever will be; return supervisor and fork server."""
    for _ in range(2):
        list(pool.map(_start_and_stop, [person] * TOGETHER, names.items(), range(TOGETHER)))
    told = connection.call("status")
    return told["pid"], told["fork_server"]["pid"]


def _weigh(connection: Connection, ours: tuple[int, int]) -> list[Weight]:
    """Weigh them while no daemon shares their memory."""
    wait_until(lambda: not connection.call("list")["sessions"], "all sessions are forgotten")
    told = connection.call("status")
    assert (told["pid"], told["fork_server"]["pid"]) == ours, "they were replaced, so nothing is known of their growth"
    return [replace(weight_of(pid), memory=own_memory_of(pid)) for pid in ours]


def _start_and_stop(person: Person, named: tuple[str, str], number: int) -> None:
    path, identity = named
    with ensure(person.home) as supervisor:
        asked = {"id": identity, "name": Path(path).name, "path": path, "ports": None, "config": None, "env": {}}
        started = supervisor.call("start", asked)
        if number % KILLED == 0:
            os.kill(started["pid"], signal.SIGKILL)
            process_gone(started["pid"])
            ask(started["socket"], "session.info", {})
        supervisor.call("stop", {"id": identity, "grace": 5.0})
    assert json.loads((Path(path) / ".scud/session.json").read_text())["status"] == "Inactive"
