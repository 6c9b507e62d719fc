"""What agents left running where nobody serves them is found by `doctor`, and ended by `gc`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from descartes_cli.strays import look_for_strays
from descartes_local.run_file import read_run_files
from descartes_local.supervisor_file import read_supervisor_file
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.serving import only_run, said
from tests.support.waiting import process_gone, wait_until


@pytest.fixture
def left(person: Person, shop: Path) -> dict[str, Any]:
    """Give an agent that outlives its daemon and its supervisor."""
    deaf = person.spawn(shop, agent("deaf"))
    said(person.home, deaf["id"], "ready ")
    told = read_supervisor_file(person.home)
    assert told is not None
    pair = (told.pid, only_run(person.home).pid)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pair:
            os.kill(pid, number)
    for pid in pair:
        process_gone(pid)
    return deaf


def warnings(person: Person) -> str:
    told = person.run("doctor", "--json").json["remarks"]
    return "\n".join(f"{one['text']} {one['do']}" for one in told if one["level"] == "warning")


def test_it_is_told_and_ended_after_asking(person: Person, left: dict[str, Any]) -> None:
    assert f"process {left['pid']} of agent {left['id'][:8]} lives, and nobody serves it" in warnings(person)
    assert str(left["pid"]) in person.run("gc", "--dry-run").stdout
    refused = person.run("gc", check=False)
    assert (refused.code, "--yes" in refused.stderr) == (5, True)
    assert f"process {left['pid']} " in warnings(person)
    told = person.run("gc", "--yes", "--json").json["left_running"]
    assert left["pid"] in {one["pid"] for one in told}
    process_gone(left["pid"])
    assert "nobody serves" not in warnings(person)
    assert read_run_files(person.home) == [], "who is found there has been dead"


def test_what_has_a_daemon_again_is_left_to_it(person: Person, shop: Path, left: dict[str, Any]) -> None:
    person.run("sessions", "start", shop)
    assert "nobody serves" not in warnings(person)
    assert person.run("gc", "--yes", "--json").json["left_running"] == []
    person.run("kill", "--force", left["id"])
    process_gone(left["pid"])


def test_nothing_is_left_where_nobody_knows_what_is_kept(person: Person, shop: Path) -> None:
    """The supervisor hangs while a daemon has just died: its agents are in keeping."""
    kept = person.spawn(shop, agent("deaf"))
    said(person.home, kept["id"], "ready ")
    told = read_supervisor_file(person.home)
    assert told is not None
    os.kill(told.pid, signal.SIGSTOP)
    try:
        daemon = only_run(person.home).pid
        os.kill(daemon, signal.SIGKILL)
        process_gone(daemon)
        assert look_for_strays(person.home) == []
    finally:
        os.kill(told.pid, signal.SIGCONT)
    wait_until(lambda: only_run(person.home).pid != daemon, "the next daemon")
    person.run("kill", "--force", kept["id"])
