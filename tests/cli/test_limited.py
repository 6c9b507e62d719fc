"""Limits are typed with units, shown, and told when one ended an agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.programs import agent

pytestmark = pytest.mark.supervisor("shared")

G = 1024**3


def test_limits_are_typed_with_units_and_shown(person: Person, shop: Path) -> None:
    options = ["--memory", "2G", "--cpus", "1.5", "--pids", "200", "--timeout", "1h30m"]
    spawned = person.spawn(shop, agent("silent"), "--name", "bound", *options)
    assert spawned["limits"] == {"memory": 2 * G, "cpus": 1.5, "pids": 200, "timeout": 5400.0}
    assert spawned["limited_by"] in ("cgroup", "daemon", "both")
    head, row = person.run("ps", "--wide").stdout.splitlines()[:2]
    assert "LIMITS" in head
    assert f"memory 2G, cpus 1.5, pids 200, time 1h30m ({spawned['limited_by']})" in row
    assert "LIMITS" not in person.run("ps").stdout


def test_which_limit_ended_an_agent_is_told(person: Person, shop: Path) -> None:
    words = ["spawn", shop, "--name", "slow", "--no-tty", "--timeout", "0.3s", "--wait", "--", *agent("silent")]
    ran = person.run(*words, check=False)
    assert ran.code == 128 + 9
    assert "descartes: slow was ended: limit: time 0.3s" in ran.stderr
    assert "terminated (limit: time 0.3s)" in person.run("ps", "-a").stdout
    person.run("sessions", "stop", shop)
    # Without a daemon it is read from the store.
    (stored,) = person.run("ps", "-a", "--json").json["agents"]
    assert (stored["ended_by"], stored["limits"]["timeout"]) == ("limit: time 0.3s", 0.3)


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (("--memory", "lots"), "'lots' is no amount of memory: write 512M, 2G or a number of bytes"),
        (("--memory", "10"), "10 is too little: 1M is the least"),
        (("--timeout", "soon"), "'soon' is no time: write 90s, 30m, 2h or 1h30m"),
        (("--cpus", "0"), "0.0 is not in the range"),
        (("--pids", "0"), "0 is not in the range"),
    ],
)
def test_what_is_no_limit_is_refused_with_what_to_write(
    person: Person, shop: Path, option: tuple[str, str], why: str
) -> None:
    ran = person.run("spawn", shop, *option, "--", "true", check=False)
    assert ran.code == 2
    assert why in ran.stderr
