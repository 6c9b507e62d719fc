"""Watchers come back a hundred times, or stall under a flood, and the daemon keeps its size."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from typing import Any

import pytest

from descartes_local.rpc_client import Connection, call
from tests.support.listener import Listener
from tests.support.page import Hearer, Page
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import wait_until
from tests.support.weight import MEBIBYTE, weight_of

#: Bytes of a line of the flood.
WIDTH = 200
RETURNS = 100


@pytest.fixture
def started(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = person.run("sessions", "start", person.workspace(), "--json").json
    return found


def come_and_go(person: Person, started: dict[str, Any], identity: str, times: int) -> None:
    """Be shown the screen and the events, and leave: in order, or without a word."""
    home = person.home.path
    for number in range(times):
        with closing(Page(started["ws_endpoint"], home, identity)) as page:
            page.see("ready")
            if number % 2:
                page.connection.socket.shutdown(socket.SHUT_RDWR)
        last = call(started["socket"], "event.list", {"limit": 1})["last_seq"]
        with closing(Listener(started["ws_endpoint"], home, since=last - 2)) as listener:
            listener.catch_up(last)
    wait_until(lambda: nobody(started), "all have gone")


def nobody(started: dict[str, Any]) -> bool:
    stats = call(started["socket"], "system.stats")
    return (stats["watchers"], stats["subscriptions"], stats["connections"]["websocket"]) == (0, 0, 0)


@pytest.mark.timeout(180)
def test_a_hundred_returns_leave_nothing(person: Person, started: dict[str, Any]) -> None:
    identity = person.spawn(person.directory / "projects/shop", agent("echoer"))["id"]
    come_and_go(person, started, identity, 10)
    before = weight_of(started["pid"])
    come_and_go(person, started, identity, RETURNS)
    after = weight_of(started["pid"])
    print(f"daemon: {before}; after {RETURNS} returns {after}")
    assert after.descriptors <= before.descriptors + 4
    assert after.memory <= before.memory + 10 * MEBIBYTE


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "megabytes", [pytest.param(20, id="20MB"), pytest.param(200, id="200MB", marks=pytest.mark.soak)]
)
def test_one_who_stalls_costs_nothing_and_holds_up_nobody(
    person: Person, started: dict[str, Any], megabytes: int
) -> None:
    told = person.directory / "told"
    loud = agent("loud", megabytes * 1_000_000 // WIDTH, "--checksum", told, "--width", WIDTH - 2)
    script = 'stty -echo; echo ready; read go; exec "$@"'
    identity = person.spawn(person.directory / "projects/shop", ["sh", "-c", script, "sh", *loud])["id"]
    begin = len(b"ready\r\n")
    wait_until(
        lambda: call(started["socket"], "agent.get", {"agent_id": identity})["agent"]["output_bytes"] == begin, "ready"
    )
    where = started["ws_endpoint"], person.home.path, identity, f"from={begin}&mode=ro"
    with closing(Hearer(*where)) as first, closing(Hearer(*where)) as second, closing(Hearer(*where)) as stalled:
        before = weight_of(started["pid"])
        with Connection(started["socket"], timeout=60) as connection:
            connection.call("agent.write", {"agent_id": identity, "text": "\n"})
        others = [threading.Thread(target=one.to_the_end, name="watcher") for one in (first, second)]
        for other in others:
            other.start()
        for other in others:
            other.join()
        after = weight_of(started["pid"])
        wanted = json.loads(wait_until(lambda: told.exists() and told.read_text(), "the checksum"))
        stalled.to_the_end()
    print(f"daemon: {before}; with one who stalled under {megabytes} MB {after}")
    assert after.memory <= before.memory + 10 * MEBIBYTE
    for one in (first, second, stalled):
        assert (one.size, one.heard.hexdigest()) == (wanted["bytes"], wanted["sha256"])
