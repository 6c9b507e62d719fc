"""What agents take and took is shown by `ps --wide`, of sessions that are stopped, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.person import Person
from tests.support.programs import agent

pytestmark = pytest.mark.supervisor("shared")

HEADS = ["CPU", "MEMORY", "PEAK", "PROCS", "READ", "WRITTEN", "LIMITS"]


def test_what_agents_take_is_shown_where_it_is_asked_for(person: Person, shop: Path) -> None:
    person.spawn(shop, agent("taker", "--seconds", 0.5), "--name", "burner", "--no-tty", "--memory", "900M")
    person.run("send", "burner", "--eof")
    person.run("wait", "burner")
    person.spawn(shop, agent("silent"), "--name", "silent")
    head, *lines = person.run("ps", "-a", "--wide").stdout.splitlines()
    assert head.split()[6:-1] == HEADS
    burner, silent = ({name: line[head.index(name) :].split()[0] for name in HEADS} for line in lines)
    assert float(burner["CPU"].removesuffix("s")) >= 0.5
    assert (burner["MEMORY"], burner["PROCS"], silent["PROCS"]) == ("-", "-", "1")
    assert (burner["LIMITS"], silent["LIMITS"]) == ("memory", "-")
    told = person.run("ps", "-a", "--wide", "--json").json["agents"]
    assert [one["usage"]["processes"] for one in told] == [None, 1]
    assert all("usage" not in one for one in person.run("ps", "-a", "--json").json["agents"])
    person.run("sessions", "stop", "--force", shop)
    stored = person.run("ps", "-a", "--wide", "--json").json["agents"]
    assert stored[0]["usage"] == told[0]["usage"]
    assert all("usage" not in one for one in person.run("ps", "-a", "--json").json["agents"])
