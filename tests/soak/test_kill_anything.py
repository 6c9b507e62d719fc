"""`kill -9` of the command or the daemon at random moments, over all that changes something."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
from collections import Counter
from contextlib import closing

import pytest

from tests.support.lane import Lane
from tests.support.person import Person

#: DESCARTES' own variables are wiped in tests; this one is the tests' own.
SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
LANES = 2


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "times", [pytest.param(12, id="12", marks=pytest.mark.soak), pytest.param(500, id="500", marks=pytest.mark.soak)]
)
def test_nothing_is_torn_lost_or_done_twice(person: Person, times: int) -> None:
    """Each change is checked before the next: what was acknowledged is, what was not is done once or not at all."""
    print(f"seed {SEED}")
    person.home.make()
    # Many deaths in a row are the point here: the rule that gives up has a test of its own.
    patient = "[supervisor]\nearly_deaths = 10000\ndeaths = 10000\nfirst_pause = 0.01\nlongest_pause = 0.05\n"
    (person.home.path / "config.toml").write_text(patient)
    lanes = [Lane(person, number, random.Random(f"{SEED} {number}")) for number in range(LANES)]
    workers = [threading.Thread(target=lane.work, args=(times // LANES,), name="lane") for lane in lanes]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print({lane.shop.name: (Counter(lane.done), dict(lane.striker.struck)) for lane in lanes})
    complaints = "\n".join(complaint for lane in lanes for complaint in lane.complaints)
    assert not complaints, f"seed {SEED}: {complaints}"
    assert sum(sum(lane.striker.struck.values()) for lane in lanes) >= times * 0.5
    for lane in lanes:
        _check_whole(person, lane)
    torn = [path for path in person.directory.rglob("*.json") if not _is_json(path.read_text())]
    assert torn == []


def _check_whole(person: Person, lane: Lane) -> None:
    """No agent is lost, none left over, and the store is whole."""
    if lane.is_archived:
        person.run("sessions", "unarchive", lane.shop)
    person.run("sessions", "start", lane.shop)
    alive = {one.id for one in lane.living()}
    told = {one["id"]: one for one in person.run("ps", "--json").json["agents"] if one["session_id"] == lane.id}
    assert alive <= set(told)
    assert {one["name"] for identity, one in told.items() if identity not in alive} <= lane.unknown
    for one in told.values():
        assert (one["status"], os.path.exists(f"/proc/{one['pid']}")) == ("running", True), one
    person.run("sessions", "stop", "--force", "--grace", "0.2", lane.shop)
    with closing(sqlite3.connect(person.home.session(lane.id) / "state.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        numbers = [seq for (seq,) in store.execute("SELECT seq FROM events ORDER BY seq")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        twice = store.execute(
            "SELECT agent_id, event_type FROM events WHERE event_type IN ('spawned', 'started', 'completed', 'killed')"
            " GROUP BY agent_id, event_type HAVING count(*) > 1"
        ).fetchall()
        assert twice == []


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
