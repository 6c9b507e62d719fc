"""A daemon that hangs is noticed by whoever asks it, killed and started again; one that is slow is not."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agent_life import FINAL
from descartes_local.run_file import RunFile
from descartes_local.supervisor_client import ensure
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.serving import only_run, said
from tests.support.storm import ask
from tests.support.waiting import process_gone, wait_until

#: A machine under load is slow, and this is short.
DEADLINE = 1.0


@pytest.fixture
def shop(person: Person) -> Path:
    """Give a workspace whose daemon is judged soon."""
    configured(person, DEADLINE)
    return person.workspace()


def configured(person: Person, deadline: float) -> None:
    person.home.make()
    (person.home.path / "config.toml").write_text(f"[supervisor]\nhang_deadline = {deadline}\n")


def living(person: Person) -> dict[str, int]:
    told = person.run("ps", "--json").json["agents"]
    return {one["id"]: one["pid"] for one in told if one["status"] not in FINAL}


def suspect(person: Person, session: str) -> dict[str, Any]:
    with ensure(person.home) as supervisor:
        told: dict[str, Any] = supervisor.call("suspect", {"id": session})
    return told


@contextlib.contextmanager
def stopped(run: RunFile) -> Iterator[None]:
    """Stop a daemon; at the end it is gone."""
    os.kill(run.pid, signal.SIGSTOP)
    try:
        yield
        process_gone(run.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.pid, signal.SIGCONT)


def test_ps_has_a_stopped_daemon_killed_and_nothing_is_lost(person: Person, shop: Path) -> None:
    told = person.directory / "told"
    loud = person.spawn(shop, agent("loud", 20_000, "--block", 10, "--pause", 0.001, "--checksum", told))
    stays = person.spawn(shop, agent("echoer"))
    with stopped(only_run(person.home)):
        seen = person.run("ps", "--json").json
        assert [session["pid"] for session in seen["sessions"]] == [None]
    assert person.run("wait", loud["id"]).code == 0
    log = (person.home.session(loud["session_id"]) / "agents" / loud["id"] / "output.log").read_bytes()
    assert len(log) == json.loads(told.read_text())["bytes"]
    assert living(person) == {stays["id"]: stays["pid"]}
    events = ask(only_run(person.home).socket, "event.list", {})["events"]
    (hung,) = [event["data"] for event in events if event["event_type"] == "daemon_hung"]
    assert hung["waited"] == DEADLINE


@pytest.mark.parametrize(
    "verb", ["send", pytest.param("stop", marks=pytest.mark.soak), pytest.param("logs", marks=pytest.mark.soak)]
)
def test_a_verb_about_an_agent_is_done_by_the_next_daemon(person: Person, shop: Path, verb: str) -> None:
    one = person.spawn(shop, agent("echoer"))
    said(person.home, one["id"], "ready")
    words = ["send", "--enter", one["id"], "hello"] if verb == "send" else [verb, one["id"]]
    with stopped(only_run(person.home)):
        ran = person.run(*words)
    assert "hung" in ran.stderr
    if verb == "send":
        assert said(person.home, one["id"], "heard: hello").count("heard: hello") == 1
    assert "killed" not in ran.stdout or verb == "stop"


@pytest.mark.soak
def test_a_spawn_waits_for_the_next_daemon(person: Person, shop: Path) -> None:
    stays = person.spawn(shop, agent("echoer"))
    with stopped(only_run(person.home)):
        one = person.spawn(shop, agent("silent"))
    assert living(person) == {stays["id"]: stays["pid"], one["id"]: one["pid"]}


def test_a_busy_loop_is_a_hang(person: Person, shop: Path, moments: Moments) -> None:
    """It stands still in the middle of a spawn, in its only thread; what is asked of it is done, once, by the next."""
    stays = person.spawn(shop, agent("silent"))
    run = only_run(person.home)
    moments.wait_for("spawn.intent_committed")
    with moments.hold("spawn.intent_committed") as held:
        spawning = person.start("spawn", shop, "--json", "--", *agent("silent"), stdout=subprocess.PIPE)
        assert held.wait() == run.pid
        assert suspect(person, run.session_id)["verdict"] == "killed"
        process_gone(run.pid)
    said_of_it, _ = spawning.communicate(timeout=40)
    assert spawning.returncode == 0
    spawned = json.loads(said_of_it)
    assert living(person) == {stays["id"]: stays["pid"], spawned["id"]: spawned["pid"]}


def test_all_who_suspect_hear_one_verdict(person: Person, shop: Path) -> None:
    one = person.spawn(shop, agent("silent"))
    run, heard = only_run(person.home), []
    with stopped(run):
        asking = [
            threading.Thread(target=lambda: heard.append(suspect(person, run.session_id)["verdict"]), daemon=True)
            for _ in range(5)
        ]
        for each in asking:
            each.start()
        for each in asking:
            each.join(30)
    assert heard == ["killed"] * 5
    wait_until(lambda: only_run(person.home).pid != run.pid, "the next daemon serves")
    assert living(person) == {one["id"]: one["pid"]}
    with ensure(person.home) as supervisor:
        assert [entry["restarts"] for entry in supervisor.call("list")["sessions"]] == [1]


def test_who_answers_late_is_well(person: Person) -> None:
    configured(person, 30.0)
    run_id = person.spawn(person.workspace(), agent("silent"))["session_id"]
    run, heard = only_run(person.home), []
    os.kill(run.pid, signal.SIGSTOP)
    asking = threading.Thread(target=lambda: heard.append(suspect(person, run_id)["verdict"]), daemon=True)
    asking.start()
    wait_until(lambda: waiting(run.socket), "the question waits at its door")
    os.kill(run.pid, signal.SIGCONT)
    asking.join(30)
    assert heard == ["well"]
    assert only_run(person.home) == run


def waiting(path: str) -> bool:
    """Say whether somebody is connected to a socket, or waits there to be let in."""
    lines = Path("/proc/net/unix").read_text().splitlines()
    return sum(line.endswith(f" {path}") for line in lines) > 1


def test_who_waits_on_purpose_has_nobody_killed(person: Person, shop: Path) -> None:
    one = person.spawn(shop, agent("echoer"))
    run = only_run(person.home)
    wait = person.start("wait", one["id"])
    assert suspect(person, run.session_id)["verdict"] == "well"
    person.run("send", "--enter", one["id"], "exit 7")
    assert wait.wait(20) == 7
    assert only_run(person.home) == run


def test_a_door_full_of_strangers_is_no_hang(person: Person, shop: Path) -> None:
    """Nobody can be asked whose backlog is full: what is silent then may be well."""
    session = person.spawn(shop, agent("silent"))["session_id"]
    run, strangers = only_run(person.home), []
    os.kill(run.pid, signal.SIGSTOP)
    try:
        while True:
            stranger = socket.socket(socket.AF_UNIX)
            stranger.setblocking(False)
            strangers.append(stranger)
            if stranger.connect_ex(run.socket) != 0:
                break
        assert suspect(person, session)["verdict"] == "full"
    finally:
        os.kill(run.pid, signal.SIGCONT)
        for stranger in strangers:
            stranger.close()
    assert only_run(person.home) == run


def test_none_is_killed_where_that_is_configured(person: Person) -> None:
    configured(person, 0)
    session = person.spawn(person.workspace(), agent("silent"))["session_id"]
    run = only_run(person.home)
    os.kill(run.pid, signal.SIGSTOP)
    try:
        assert suspect(person, session) == {"verdict": "unknown"}
    finally:
        os.kill(run.pid, signal.SIGCONT)
    assert person.run("ps", "--json").json["sessions"][0]["pid"] == run.pid


def test_nobody_is_judged_who_does_not_run(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    assert suspect(person, "5d3e1c9a-0000-4000-8000-000000000000") == {"verdict": "unknown"}
