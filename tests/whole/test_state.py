"""State and history from the command line, of sessions whether they are served or not."""

from __future__ import annotations

import pytest

from tests.support.person import Person

pytestmark = pytest.mark.supervisor("shared")


def test_what_an_agent_keeps_outlives_its_daemon_and_is_told(person: Person) -> None:
    shop = person.workspace("shop")
    person.run("spawn", shop, "--name", "fixer", "--wait", "--", "sh", "-c", "exit 3", check=False)
    kept = person.run("state", "set", "fixer", "phase", "review", "--json").json
    assert (kept["key"], kept["version"], kept["event_type"]) == ("phase", 1, "created")
    person.run("state", "set", "fixer", "progress", '{"done": 3}', "--expect", 0)
    refused = person.run("state", "set", "fixer", "progress", "4", "--expect", 0, check=False)
    assert (refused.code, "version 1" in refused.stderr) == (5, True)
    person.run("state", "set", "fixer", "number", "7", "--text")
    person.run("state", "set", "fixer", "typed", "-", input='{"from": "stdin"}')
    assert person.run("state", "get", "fixer", "typed").json == {"from": "stdin"}
    person.run("sessions", "stop", shop)
    assert person.run("state", "get", "fixer", "phase").stdout == '"review"\n'
    assert person.run("state", "get", "fixer", "number").json == "7"
    person.run("sessions", "stop", shop)
    told = person.run("history", "fixer", "--json").json["transitions"]
    assert [(one["was"], one["became"], one["cause"], one["evidence"]) for one in told[1:]] == [
        ("running", "failed", "ended_badly", "exit code 3")
    ]
    assert list(told[0])[:5] == ["seq", "at", "agent_id", "was", "became"]
    shown = person.run("history", "fixer").stdout
    assert ("ended badly" in shown, "exit code 3" in shown) == (True, True)
    newest = person.run("history", "-s", shop, "--limit", 1, "--json").json["transitions"]
    assert newest == told[-1:]
    assert person.run("history", "fixer", "--until", "1h", "--json").json["transitions"] == []
    kept = person.run("state", "query", "fixer", "--prefix", "p", "--json").json["state"]
    assert [(one["key"], one["value"]) for one in kept] == [("phase", "review"), ("progress", {"done": 3})]
    person.run("state", "delete", "fixer", "phase")
    gone = person.run("state", "get", "fixer", "phase", check=False)
    assert (gone.code, "nothing" in gone.stderr) == (3, True)
    changes = person.run("history", "fixer", "--key", "phase", "--json").json["transitions"]
    assert [(one["was"], one["became"], one["cause"]) for one in changes] == [
        ("absent", "version 1", "set"),
        ("version 1", "absent", "deleted"),
    ]
    assert all("asked by pid " in one["evidence"] for one in changes)
    assert "(descartes)" in changes[0]["evidence"]


def test_a_snapshot_is_taken_listed_restored_and_forgotten(person: Person) -> None:
    shop = person.workspace("shop")
    person.run("spawn", shop, "--name", "ended", "--wait", "--", "true")
    person.run("state", "set", "ended", "k", "1")
    taken = person.run("state", "snapshot", "-s", shop, "--description", "first", "--expires", "7d", "--json").json
    name = taken["snapshot"]["id"][:8]
    person.run("state", "set", "ended", "k", "2")
    person.run("spawn", shop, "--name", "living", "--", "sleep", "1000")
    person.run("sessions", "restart", shop)
    listed = person.run("state", "snapshots", "-s", shop).stdout
    assert (name in listed, "first" in listed, "1 key, 0 tasks, 1 agent" in listed) == (True, True, True)
    said = person.run("state", "restore", name, "-s", shop).stdout
    assert "1 key put back, 0 removed, of 1 agent" in said
    assert "living" in said
    assert person.run("state", "get", "ended", "k").json == 1
    person.run("state", "forget", name, "-s", shop)
    assert person.run("state", "snapshots", "-s", shop, "--json").json["snapshots"] == []
    gone = person.run("state", "restore", name, "-s", shop, check=False)
    assert (gone.code, "no snapshot" in gone.stderr) == (3, True)
    person.run("kill", "living", "--force")
