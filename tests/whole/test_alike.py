"""What is alike is found from the command line, in a group of sessions, and in output that is compressed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.person import Person


@pytest.mark.timeout(120)
def test_what_is_alike_is_found_in_a_group(person: Person, shop: Path) -> None:
    farm = person.workspace("farm")
    person.home.path.mkdir(mode=0o700, exist_ok=True)
    (person.home.path / "config.toml").write_text('[search.groups]\nteam = ["shop", "nobody"]\n')
    said = "seq -f %099.0f 5000; echo two workers are deadlocked on one mutex"
    agent = person.spawn(shop, ["sh", "-c", said], "--wait")["id"]
    person.spawn(farm, ["sh", "-c", said], "--wait")
    ran = person.run("search", "--semantic", "deadlock worker", "--kind", "output", "--group", "team", "--json")
    first = ran.json["results"][0]
    assert (first["agent_id"], first["snippet"]) == (agent, "two workers are deadlocked on one mutex")
    assert {one["agent_id"] for one in ran.json["results"]} == {agent}
    assert "nobody" in ran.stderr
    assert person.run("search", "deadlocked", "--group", "others", check=False).code == 2
    assert "compressed" in person.run("gc", shop, "--compress-older-than", "0d").stdout
    again = person.run("search", "deadlocked", "--kind", "output", "-s", "shop", "--json").json["results"]
    assert [(one["offset"], one["snippet"]) for one in again] == [(first["offset"], first["snippet"])]
    assert person.run("search", "--status", "-s", "shop", "--json").json["cold"] > 0
