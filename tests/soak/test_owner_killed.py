"""Whoever owns the terminals is killed or stopped at random moments, and nothing is lost."""

from __future__ import annotations

import os
import random

import pytest

from descartes_core.agent_life import FINAL
from descartes_local.processes import command_of, is_alive
from tests.support.blows import Blows
from tests.support.leftovers import processes_of
from tests.support.person import Person
from tests.support.place import Place
from tests.support.weight import weight_of

#: DESCARTES' own variables are wiped in tests; this one is the tests' own.
SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
#: What CI has time for.
A_FEW = (
    ["daemon"] * 3
    + ["supervisor", "stopped_daemon", "resting_supervisor", "fork_server_and_daemon"]
    + ["daemon_at_rest_in_hand_over", "daemon_in_renewal", "daemon_in_restart"]
)
KINDS = sorted(set(A_FEW) | {"fork_server", "resting_daemon", "restart"})
LONG = [pytest.param([kind] * 50, 4, id=kind, marks=pytest.mark.soak) for kind in KINDS]
AN_HOUR = pytest.param(KINDS * 200, 4, id="all", marks=pytest.mark.soak)


@pytest.mark.timeout(5400)
@pytest.mark.parametrize(("kinds", "count"), [pytest.param(A_FEW, 2, id="a-few"), *LONG, AN_HOUR])
def test_nothing_is_lost_whoever_is_struck(person: Person, kinds: list[str], count: int) -> None:
    """Floods that are watched, typists, agents that come and go, or end with what is killed: all as if nothing was."""
    dice = random.Random(SEED)
    person.home.make()
    # Many deaths in a row are the point here: the rule that gives up has a test of its own.
    patient = "[supervisor]\nearly_deaths = 10000\ndeaths = 10000\nfirst_pause = 0.01\nlongest_pause = 0.05\n"
    (person.home.path / "config.toml").write_text(patient)
    places = [Place(person, number, dice) for number in range(count)]
    blows = Blows(person, places, dice)
    for place in places:
        place.begin()
    try:
        for kind in dice.sample(kinds, len(kinds)):
            blows.strike(kind)
        blows.settle()
    finally:
        for place in places:
            place.end()
    agents = {one["id"]: one for one in person.run("ps", "-a", "--json").json["agents"]}
    complaints = [complaint for place in places for complaint in place.complaints(agents)]
    assert not complaints, "\n".join((f"seed {SEED}: {dict(blows.struck)}", *complaints, *_story(person, complaints)))
    assert {one["status"] for one in agents.values()} <= FINAL
    print({place.shop.name: place.counts for place in places}, dict(blows.struck))
    _nothing_stays(person, places)


def _story(person: Person, complaints: list[str]) -> list[str]:
    """Return what the logs tell of those that are complained of, and of who owned them."""
    about = {complaint.split()[0] for complaint in complaints}
    own = ("ended in", "renew", "hands itself", "keeps what", "supervisor is gone", "fork server")
    paths = [*person.home.log.glob("*.log"), *person.home.path.glob("sessions/*/daemon.log")]
    lines = [line for path in paths for line in path.read_text(errors="replace").splitlines()]
    return sorted(line for line in lines if any(word in line for word in (*about, *own)))


def _nothing_stays(person: Person, places: list[Place]) -> None:
    """All that lives is what should; and those who look for what is wrong find nothing."""
    told = person.run("supervisor", "status", "--json").json
    ours = {told["pid"], told["fork_server"]["pid"], *(place.ask("session.info")["session"]["pid"] for place in places)}
    strays = {process.pid: command_of(process.pid) for process in processes_of(person.directory) if is_alive(process)}
    assert set(strays) == ours - {None}, strays
    assert weight_of(told["pid"]).zombies == 0
    assert person.run("doctor", "--json").json["counts"] == {"ok": 10 + len(places), "warning": 0, "error": 0}
    assert person.run("ps", "--json").json["unattributed"] == []
