"""Events are followed over the death of a daemon without hole or double."""

from __future__ import annotations

import os
import signal

import pytest

from descartes_local.run_file import read_run_files
from tests.support.listener import Listener
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import process_gone

pytestmark = pytest.mark.supervisor("shared")


def test_a_client_written_from_the_docs_misses_nothing(person: Person, moments: Moments) -> None:
    shop = person.workspace("shop")
    person.spawn(shop, agent("echoer"), "--name", "one")
    moments.wait_for("daemon.ready")
    (run,) = read_run_files(person.home)
    listener = Listener(run.ws_endpoint, person.home.path)
    try:
        listener.until("started")
        os.kill(run.pid, signal.SIGKILL)
        process_gone(run.pid)
        person.run("send", "one", "exit 0", "--enter")
        assert listener.until("completed")["data"]["name"] == "one"
    finally:
        listener.close()
    numbers = [event["seq"] for event in listener.events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert listener.returns == 1
    told = person.run("events", "--since", "0", "--json", "-s", "shop").stdout
    assert all(event["id"] in told for event in listener.events)
