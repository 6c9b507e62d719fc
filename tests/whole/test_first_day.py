"""What a person does on the first day, with the installed command."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess

from descartes_local.run_file import read_run_files
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent, installed
from tests.support.waiting import process_gone


def test_an_agent_is_spawned_seen_read_and_killed(person: Person) -> None:
    shop = person.workspace("shop")
    made = person.spawn(shop, agent("echoer"), "--name", "fixer")
    assert [one["name"] for one in person.run("ps", "--json").json["agents"]] == ["fixer"]
    person.run("send", "fixer", "good day", "--enter")
    person.run("kill", "fixer")
    assert "heard: good day" in person.run("logs", "fixer").stdout
    (ended,) = person.run("ps", "-a", "--json").json["agents"]
    assert (ended["id"], ended["status"]) == (made["id"], "terminated")


def test_the_exit_code_of_an_agent_is_that_of_wait(person: Person) -> None:
    person.workspace("shop")
    assert (
        person.run("spawn", person.directory / "projects/shop", "--wait", "--", "sh", "-c", "exit 3", check=False).code
        == 3
    )


def test_every_numbered_line_comes_back(person: Person) -> None:
    shop, told = person.workspace("shop"), person.directory / "told"
    person.spawn(shop, agent("loud", 200_000, "--checksum", told, "--code", 7), "--name", "loud")
    assert person.run("wait", "loud", check=False).code == 7
    log = subprocess.run([installed("descartes"), "logs", "loud", "--format", "raw"], check=True, capture_output=True)
    assert json.loads(told.read_text()) == {
        "bytes": len(log.stdout),
        "sha256": hashlib.sha256(log.stdout).hexdigest(),
    }


def test_an_agent_outlives_its_daemon(person: Person, moments: Moments) -> None:
    shop = person.workspace("shop")
    made = person.spawn(shop, agent("echoer"), "--name", "fixer")
    moments.wait_for("daemon.ready")
    (run,) = read_run_files(person.home)
    os.kill(run.pid, signal.SIGKILL)
    process_gone(run.pid)
    moments.wait_for("daemon.ready")
    person.run("send", "fixer", "still there", "--enter")
    person.run("send", "fixer", "exit 4", "--enter")
    assert person.run("wait", "fixer", check=False).code == 4
    assert "heard: still there" in person.run("logs", made["id"]).stdout


def test_stopping_by_force_leaves_nothing(person: Person) -> None:
    shop = person.workspace("shop")
    person.spawn(shop, agent("forker", "--deaf", "--closed"), "--name", "tree", "--grace", "0.2")
    refused = person.run("sessions", "stop", shop, check=False)
    assert refused.code == 5, str(refused)
    person.run("sessions", "stop", "--force", shop)
    assert json.loads((shop / ".scud/session.json").read_text())["status"] == "Inactive"
