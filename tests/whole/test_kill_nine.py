"""`kill -9` of the daemon at random moments, under flood, spawning, typing and ending."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from contextlib import closing

import pytest

from descartes_core.agent_life import FINAL
from tests.support.listener import Listener
from tests.support.person import Person
from tests.support.storm import Hand, Killer, Knocker, ask, complaints, run_of

#: DESCARTES' own variables are wiped in tests; this one is the tests' own.
SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1 << 30)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("times", [pytest.param(10, id="10"), pytest.param(50, id="50", marks=pytest.mark.soak)])
def test_nothing_is_lost_when_the_daemon_is_killed(person: Person, times: int) -> None:
    """Three agents at a time; afterwards logs, exit codes, rows and events are as if nothing had been."""
    dice = random.Random(SEED)
    config = person.home.path / "config.toml"
    person.home.make()
    # Many deaths in a row are the point here: the rule that gives up has a test of its own.
    config.write_text("[supervisor]\nearly_deaths = 1000\ndeaths = 1000\nfirst_pause = 0.01\nlongest_pause = 0.05\n")
    shop = person.workspace("shop")
    session = person.run("sessions", "start", shop, "--json").json
    knocker = Knocker(int(session["http_endpoint"].rpartition(":")[2]))
    killer = Killer(person.home, session["id"], times, random.Random(dice.random()))
    hands = [
        Hand(person.home, session["id"], person.directory, random.Random(dice.random()), killer.over) for _ in range(3)
    ]
    listener = Listener(session["ws_endpoint"], person.home.path)
    workers = [threading.Thread(target=hand.work, name="hand") for hand in hands]
    for thread in (knocker, killer, *workers):
        thread.start()
    for thread in (killer, *workers):
        thread.join()
    knocker.stopped.set()
    knocker.join()

    agents = {one["id"]: one for one in person.run("ps", "-a", "--json").json["agents"]}
    assert complaints(hands, agents, person.home.session(session["id"]) / "agents") == [], f"seed {SEED}"
    assert {one["status"] for one in agents.values()} <= FINAL, f"seed {SEED}"
    assert len(killer.killed) >= times * 0.8
    assert sum(len(hand.spawned) for hand in hands) >= 3
    assert knocker.refused == []
    assert knocker.answers > 0
    served = run_of(person.home, session["id"]).socket
    listener.catch_up(ask(served, "event.list", {"limit": 1})["last_seq"])
    person.run("sessions", "stop", shop)
    _check_events(listener)
    with closing(sqlite3.connect(person.home.session(session["id"]) / "state.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _check_events(listener: Listener) -> None:
    try:
        listener.until("daemon_stopping")
        numbers = [event["seq"] for event in listener.events]
    finally:
        listener.close()
    # It came when the daemon's own first event was written; from there on without hole or double.
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] <= 2
