"""Daemon and indexer are killed at random moments while agents speak: every line is found, once, where it stands."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress

import pytest

from tests.support.leftovers import processes_of
from tests.support.person import Person
from tests.support.serving import only_run
from tests.support.storm import ask
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200), pytest.mark.supervisor("shared")]

_ROUNDS = int(os.environ.get("STORM_ROUNDS", "30"))
_LINES = 20_000


def indexers(person: Person) -> list[int]:
    found = processes_of(person.directory).items()
    return [one.pid for one, command in found if "descartes-indexer" in command or "search.indexer" in command]


def test_whoever_is_killed_each_line_is_found_once(person: Person) -> None:
    dice = random.Random(seed := int(os.environ.get("STORM_SEED", time.time_ns())))
    print(f"STORM_SEED={seed}")
    shop = person.workspace("shop")
    for number in range(_ROUNDS):
        script = f"i=0; while [ $i -lt {_LINES} ]; do i=$((i+1)); echo word{number}x$i was said; done"
        person.spawn(shop, ["sh", "-c", script], "--name", f"speaker{number}")
        socket = only_run(person.home).socket
        ask(socket, "search.query", {"query": "said", "wait": 0.0, "semantic": number % 3 == 2})
        # A random moment is what is wanted here; nothing waits for it.
        threading.Event().wait(dice.uniform(0.0, 0.6))
        victims = dice.choice(
            [indexers(person), [only_run(person.home).pid], [*indexers(person), only_run(person.home).pid]]
        )
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ask(socket, "session.info", {})
        assert person.run("ps", "--json").json.get("unattributed", []) == []
    for number in range(_ROUNDS):
        person.run("wait", f"speaker{number}", check=False)
        for line in (1, dice.randint(2, _LINES - 1), _LINES):
            wanted = {"query": f"word{number}x{line}", "kinds": ["output"], "wait": 30.0}
            reply = ask(only_run(person.home).socket, "search.query", wanted)
            assert [one["snippet"] for one in reply["results"]] == [f"word{number}x{line} was said"], reply
            assert reply["behind"] == 0
    os.kill(only_run(person.home).pid, signal.SIGKILL)
    wait_until(
        lambda: not indexers(person), "no process that indexes is left", deadline=120.0
    )  # of the lowest priority
