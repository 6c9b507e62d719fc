"""Supervisor and daemon are killed in one go, again and again: what is lost is named, and nothing pretends to live."""

from __future__ import annotations

import os
import random
import signal
import threading
from typing import Any

import pytest

from descartes_core.agent_life import FINAL
from descartes_core.ids import new_id
from descartes_local.processes import process_of, stat_of
from descartes_local.run_file import RunFile
from tests.support.keepers import supervisor_pid
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.serving import only_run, said
from tests.support.storm import ask
from tests.support.waiting import process_gone, wait_until

#: DESCARTES' own variables are wiped in tests; this one is the tests' own.
SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1 << 30)
CODE = 5
#: It ends by itself, at about the time of the blow.
SHORT = agent("loud", 3000, "--block", 10, "--pause", 0.001, "--code", CODE)
#: What each runs, and whether in a terminal.
PROGRAMS = {
    "hears": (agent("echoer"), True),
    "deaf": (agent("deaf"), True),
    "piped": (agent("echoer"), False),
    "short": (SHORT, True),
    "short-piped": (SHORT, False),
}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("times", [pytest.param(2, id="2"), pytest.param(50, id="50", marks=pytest.mark.soak)])
def test_what_is_lost_with_both_is_named(person: Person, times: int) -> None:
    dice = random.Random(SEED)
    shop = person.workspace("shop")
    person.run("sessions", "start", shop)
    for _ in range(times):
        spawned = {name: spawn(person, *how) for name, how in PROGRAMS.items()}
        said(person.home, spawned["deaf"]["id"], "ready ")
        # A random moment is what is wanted here; nothing waits for it.
        threading.Event().wait(dice.uniform(0.0, 0.5))
        kill_both(supervisor_pid(person.home), only_run(person.home), dice)
        person.run("sessions", "start", shop)
        for name, one in spawned.items():
            wait_until(lambda one=one: is_true(person, one), f"seed {SEED}: {name} is shown as it is", 20.0)  # type: ignore[misc]
        told = {name: get(person, one["id"]) for name, one in spawned.items()}
        assert told["deaf"]["status"] == "lost"
        assert {told[name]["exit_code"] for name in ("short", "short-piped")} <= {CODE, None}, f"seed {SEED}: {told}"
        unsure = {name for name, one in told.items() if one["exit_code"] is None and one["signal"] is None}
        assert unsure == set(named(person, told)), f"seed {SEED}: {told}"
        person.run("kill", "--force", *(one["id"] for one in told.values() if one["status"] not in FINAL))
        process_gone(spawned["deaf"]["pid"])
    assert person.run("doctor", "--json").json["counts"]["error"] == 0


def spawn(person: Person, command: list[str], tty: bool) -> dict[str, Any]:
    asked = {"agent_id": new_id(), "request_id": new_id(), "command": command, "cwd": str(person.directory), "tty": tty}
    found: dict[str, Any] = ask(only_run(person.home).socket, "agent.spawn", asked)["agent"]
    return found


def kill_both(supervisor: int, daemon: RunFile, dice: random.Random) -> None:
    for pid in dice.sample((supervisor, daemon.pid), 2):
        os.kill(pid, signal.SIGKILL)
    for pid in (supervisor, daemon.pid):
        process_gone(pid)


def get(person: Person, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(only_run(person.home).socket, "agent.get", {"agent_id": identity})["agent"]
    return found


def is_true(person: Person, one: dict[str, Any]) -> bool:
    """Say whether an agent is shown as living exactly when it lives."""
    process = process_of(one["pid"])
    lives = process is not None and (stat := stat_of(process.pid)) is not None and not stat.is_dead
    return lives is (get(person, one["id"])["status"] not in FINAL)


def named(person: Person, told: dict[str, dict[str, Any]]) -> list[str]:
    """Return those of which it is said that something is not known, or lost."""
    return [name for name, one in told.items() if "unknown" in str(one.get("evidence")) or one["notice"]]
