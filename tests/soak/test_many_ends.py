"""Thousands of agents start and end, and daemon and supervisor are as they were."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from descartes_local.rpc_client import Connection
from tests.support.person import Person
from tests.support.serving import only_run
from tests.support.weight import MEBIBYTE, files_in, weight_of

#: So many are alive at once.
TOGETHER = 10
#: What an agent may leave in memory, in bytes; and what caches may still take after the first tenth of all.
EACH, CACHES = 300, 3 * MEBIBYTE
#: asyncio's pool grows to its limit as it is used, beside the loop and the store.
THREADS = min(32, (os.cpu_count() or 1) + 4) + 3


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "count",
    [pytest.param(100, id="100", marks=pytest.mark.soak), pytest.param(10_000, id="10k", marks=pytest.mark.soak)],
)
def test_nothing_grows_with_agents_that_came_and_went(person: Person, count: int) -> None:
    started = person.run("sessions", "start", person.workspace(), "--json").json
    supervisor = int(person.run("supervisor", "status", "--json").json["pid"])
    before, files = [], set()
    with Connection(started["socket"], timeout=60) as connection:
        for ended in spawns(connection, count):
            if ended == count // 10:
                before = [weight_of(pid) for pid in (started["pid"], supervisor)]
                files = files_in(person.directory, "agents")
        stats = connection.call("system.stats", {})
        after = [weight_of(pid) for pid in (started["pid"], supervisor)]
        # Only now: the answer alone takes megabytes for a moment.
        listed = connection.call("agent.list", {"all": True})["agents"]
    for name, was, now in zip(("daemon", "supervisor"), before, after, strict=True):
        print(f"{name}: {was}; after {count} agents {now}")
        assert now.memory - was.memory <= CACHES + EACH * count
        assert (now.descriptors, now.zombies) <= (was.descriptors + 2, 0)
        assert now.threads <= max(was.threads, THREADS)
    assert (len(listed), {one["status"] for one in listed}) == (count, {"completed"})
    assert stats["agents"].get("running", 0) == 0
    assert only_run(person.home).pid == started["pid"]
    assert files_in(person.directory, "agents") <= files
    places = person.home.session(started["id"]) / "agents"
    assert {len(os.listdir(places / one)) for one in os.listdir(places)} <= {3, 4}


def spawns(connection: Connection, count: int) -> Iterator[int]:
    """Let agents start and end, with a terminal and without, and yield how many have."""
    for first in range(0, count, TOGETHER):
        asked = ({"command": ["echo", "hello"], "tty": bool(number % 2)} for number in range(TOGETHER))
        ids = [connection.call("agent.spawn", params)["agent"]["id"] for params in asked]
        for identity in ids:
            assert connection.call("agent.wait", {"agent_id": identity, "timeout": 30})["ended"]
        yield first + TOGETHER
