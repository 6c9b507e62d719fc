"""Everybody on a bus is killed or held up, the wire is bad or cut; nothing is lost or done twice."""

from __future__ import annotations

import os
import random
import time

import pytest

from tests.support.bus_blows import BusBlows, combinations
from tests.support.bus_storm import bus_storm
from tests.support.person import Person
from tests.support.wire import permitted

#: DESCARTES' own variables are wiped in tests; these are the tests' own.
SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
SECONDS = float(os.environ.get("STORM_SECONDS", "3600"))

#: The longest that a wire is cut, or somebody held (seconds): one in a dozen long enough for everything to be given up.
_LENGTHS = (*[0.3] * 5, *[2.0] * 4, *[10.0] * 2, 100.0)
_HOW = ("kill", "hold", "hold and kill", "cut", "cut and kill", "cut and hold")


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 1800)
@pytest.mark.skipif(not permitted(), reason="network namespaces are not permitted here")
def test_agents_elsewhere_outlive_everybody(person: Person) -> None:
    print(f"seed {SEED}")
    dice, ends = random.Random(SEED), time.monotonic() + SECONDS
    with bus_storm(person.directory, 2, dice) as storm:
        storm.begin(8)
        blows = BusBlows(storm.wire, storm.machines, dice, lengths=_LENGTHS)
        while time.monotonic() < ends:
            blows.strike(dice.choice(combinations()), dice.choice(_HOW))
        storm.settle()
        print([hand.counts for hand in storm.hands], dict(blows.struck))
        complaints = "\n".join(storm.complaints())
        assert not complaints, f"seed {SEED}: {complaints}"
