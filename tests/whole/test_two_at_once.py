"""Two of every command at once: each is done or refused, none breaks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.person import Person, Ran
from tests.support.waiting import process_gone

DONE, REFUSED = 0, 5


def both(person: Person, *words: object) -> list[Ran]:
    """Run the same command twice at the same time."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [person.start(*words, **pipes) for _ in range(2)]
    ran = []
    for process in started:
        with process:
            out, complaint = process.communicate(timeout=60)
        ran.append(Ran(("descartes", *map(str, words)), process.returncode, str(out), str(complaint)))
    for one in ran:
        assert "Traceback" not in one.stderr, str(one)
        assert one.code == DONE or one.stderr.count("\n") == 1, str(one)
    return ran


def codes(ran: list[Ran]) -> list[int]:
    return sorted(one.code for one in ran)


def test_sessions(person: Person, shop: Path) -> None:
    new = person.directory / "projects" / "new"
    made = both(person, "sessions", "create", new, "--json")
    assert codes(made) == [DONE, REFUSED]
    identity = next(one for one in made if one.code == DONE).json["id"]
    assert json.loads((new / ".scud/session.json").read_text())["id"] == identity
    for workspace in (new, shop):
        started = both(person, "sessions", "start", workspace, "--json")
        assert codes(started) == [DONE, DONE]
        assert started[0].json == started[1].json
    for verb in (["list"], ["show", "shop"], ["use", "shop"]):
        assert codes(both(person, "sessions", *verb)) == [DONE, DONE]
    for workspace in (new, shop):
        assert codes(both(person, "sessions", "stop", workspace)) == [DONE, DONE]
        assert json.loads((workspace / ".scud/session.json").read_text())["status"] == "Inactive"
    assert codes(both(person, "sessions", "stop", "--force", shop)) == [DONE, DONE]
    assert codes(both(person, "supervisor", "status")) == [DONE, DONE]
    assert codes(both(person, "supervisor", "stop")) == [DONE, DONE]


@pytest.mark.supervisor("shared")
def test_a_session_s_whole_life(person: Person, shop: Path) -> None:
    """The second of two finds it done, does it again, or is refused: never is anything torn."""
    missing = 3

    def record() -> dict[str, Any]:
        found: dict[str, Any] = json.loads((shop / ".scud/session.json").read_text())
        return found

    assert codes(both(person, "sessions", "rename", shop, "store")) == [DONE, DONE]
    person.run("sessions", "start", shop)
    assert codes(both(person, "sessions", "rename", shop, "again")) == [DONE, DONE]
    assert codes(both(person, "sessions", "archive", shop)) == [DONE, REFUSED]
    assert (record()["name"], record()["status"]) == ("again", "Archived")
    assert codes(both(person, "sessions", "start", shop)) == [REFUSED, REFUSED]
    assert codes(both(person, "sessions", "unarchive", shop)) == [DONE, REFUSED]
    moved = shop.rename(shop.with_name("moved"))
    assert codes(both(person, "sessions", "relocate", "again", moved)) == [DONE, DONE]
    shop = moved
    copy = shop.with_name("copy")
    shutil.copytree(shop, copy)
    assert codes(both(person, "sessions", "adopt", copy)) == [DONE, REFUSED]
    assert codes(both(person, "sessions", "use", copy)) == [DONE, DONE]
    assert codes(both(person, "sessions", "delete", copy)) == [DONE, DONE]
    assert set(codes(both(person, "sessions", "delete", "--files", "--yes", copy))) <= {DONE, missing}
    assert set(codes(both(person, "sessions", "delete", "--files", "--data", "--yes", shop))) <= {DONE, missing}
    assert list(shop.parent.iterdir()) == []
    assert person.run("sessions", "list", "-a", "--json").json["sessions"] == []


def test_spawns_with_one_name(person: Person, shop: Path) -> None:
    """Two first commands of all: both start supervisor and daemon, and one of them gets the name."""
    assert codes(both(person, "spawn", shop, "--name", "cat", "--", "cat")) == [DONE, REFUSED]
    assert codes(both(person, "spawn", shop, "--", "true")) == [DONE, DONE]
    assert [one["name"] for one in person.run("ps", "--json").json["agents"]] == ["cat"]


@pytest.mark.supervisor("shared")
def test_what_reads(person: Person, shop: Path) -> None:
    person.spawn(shop, ["cat"], "--name", "cat")
    assert codes(both(person, "send", "cat", "hello", "--enter")) == [DONE, DONE]
    person.spawn(shop, ["sh", "-c", "echo said"], "--name", "past")
    person.run("wait", "past")
    for words in (["ps"], ["ps", "-a", "--json"]):
        assert codes(both(person, *words)) == [DONE, DONE]
    for words in (["logs", "past"], ["logs", "-f", "past"], ["events"], ["wait", "past"]):
        ran = both(person, *words)
        assert codes(ran) == [DONE, DONE]
        assert ran[0].stdout == ran[1].stdout
    typed = person.run("logs", "cat").stdout
    assert typed.count("hello") == 4  # each is echoed, and repeated by cat


@pytest.mark.supervisor("shared")
def test_what_changes_an_agent(person: Person, shop: Path) -> None:
    """The second of two either comes too late, or finds done what it asked for."""
    for words, after in (
        (["pause"], "paused"),
        (["resume"], "running"),
        (["stop"], "terminated"),
        (["kill"], "terminated"),
        (["kill", "--force"], "terminated"),
    ):
        made = person.spawn(shop, ["sleep", "600"])
        if words == ["resume"]:
            person.run("pause", made["id"])
        ran = both(person, *words, made["id"])
        assert codes(ran) in ([DONE, DONE], [DONE, REFUSED]), words
        agents = {one["id"]: one["status"] for one in person.run("ps", "-a", "--json").json["agents"]}
        assert agents[made["id"]] == after
        if after != "terminated":
            person.run("kill", "--force", made["id"])


@pytest.mark.supervisor("shared")
def test_stops_by_force_with_agents(person: Person, shop: Path) -> None:
    made = [person.spawn(shop, ["sleep", "600"])["id"] for _ in range(3)]
    ran = both(person, "sessions", "stop", "--force", shop, "--json")
    assert codes(ran) == [DONE, DONE]
    assert {identity for one in ran for identity in one.json["ended"]} == {*made}


def test_a_session_that_outlived_its_supervisor_leaves_no_door(person: Person) -> None:
    shop, blog = person.workspace("shop"), person.workspace("blog")
    person.run("sessions", "start", shop)
    supervisor = person.run("supervisor", "status", "--json").json["pid"]
    os.kill(supervisor, signal.SIGKILL)
    process_gone(supervisor)
    person.run("sessions", "start", blog)
    person.run("sessions", "stop", shop)
    names = {path.name[:8] for path in person.home.sockets.iterdir()}
    identity = person.run("sessions", "show", shop, "--json").json["id"]
    assert identity[:8] not in names
    person.run("sessions", "start", shop)
    person.run("sessions", "stop", shop)
    person.run("sessions", "stop", blog)
