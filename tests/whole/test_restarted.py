"""Daemons are replaced under load, and nobody notices: no byte, pid, connection or exit code is another."""

from __future__ import annotations

import json
import os
import random
import selectors
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from descartes_cli.link import Link
from descartes_core.agent_life import FINAL
from descartes_local.run_file import RunFile
from tests.support.installation import Installation
from tests.support.listener import Listener
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.repeating import Repeater
from tests.support.serving import only_run, said
from tests.support.storm import Hand, Knocker, complaints, run_of
from tests.support.typed import typed_lines
from tests.support.waiting import process_gone

pytestmark = pytest.mark.supervisor("shared")


def restart(person: Person, *words: object) -> dict[str, Any]:
    """Restart the only session and return what is told of it."""
    told = person.run("sessions", "restart", *(words or ("--all",)), "--json").json
    assert told["failed"] == []
    (one,) = told["restarted"]
    return dict(one)


def living(person: Person) -> dict[str, int]:
    told = person.run("ps", "--json").json["agents"]
    return {one["id"]: one["pid"] for one in told if one["status"] not in FINAL}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("times", [pytest.param(1, id="1"), pytest.param(20, id="20", marks=pytest.mark.soak)])
def test_nobody_notices_restarts_under_load(person: Person, times: int) -> None:
    """Floods, typing, a listener, `logs -f`, `wait`, and somebody who knocks all the time."""
    shop = person.workspace("shop")
    session = person.run("sessions", "start", shop, "--json").json
    told = person.directory / "told"
    loud = person.spawn(shop, agent("loud", 30_000, "--block", 10, "--pause", 0.001, "--checksum", told))
    short, stays = person.spawn(shop, agent("echoer")), person.spawn(shop, agent("echoer"))
    logs = person.start("logs", "-f", loud["id"], stdout=subprocess.PIPE)
    wait = person.start("wait", short["id"])
    knocker = Knocker(int(session["http_endpoint"].rpartition(":")[2]))
    restarter = Repeater(times, lambda: restart(person))
    hand = Hand(person.home, session["id"], person.directory, random.Random(1), restarter.over)
    listener = Listener(session["ws_endpoint"], person.home.path)
    threads = [knocker, restarter, threading.Thread(target=hand.work, name="hand")]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads[1:]:
        thread.join()
    person.run("send", "--enter", short["id"], "exit 23")
    assert wait.wait(20) == 23
    said_by_it, _ = logs.communicate(timeout=60)
    knocker.stopped.set()
    knocker.join()
    listener.close()
    right = json.loads(told.read_text())["bytes"]
    assert len(said_by_it.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")) == right

    pids = [session["pid"], *(one["now"]["pid"] for one in restarter.told)]
    assert len(set(pids)) == times + 1
    assert [one["was"]["pid"] for one in restarter.told] == pids[:-1]
    assert knocker.refused == []
    assert knocker.answers
    assert living(person) == {stays["id"]: stays["pid"]}
    agents = {one["id"]: one for one in person.run("ps", "-a", "--json").json["agents"]}
    assert complaints([hand], agents, person.home.session(session["id"]) / "agents") == []
    assert hand.never_spawned == 0, "what was accepted is answered"
    person.run("send", "--enter", stays["id"], "exit 0")
    person.run("wait", stays["id"])


@pytest.mark.timeout(120)
def test_who_types_over_a_terminal_types_each_key_once(person: Person) -> None:
    echoer = person.spawn(person.workspace(), agent("echoer"))
    said(person.home, echoer["id"], "ready")
    link = Link(only_run(person.home).socket, {"agent_id": echoer["id"], "mode": "rw"})
    restarter = Repeater(4, lambda: restart(person))
    restarter.start()
    typed = list(typed_lines(link, restarter.over))
    restarter.join()
    link.close()
    assert len(restarter.told) == 4
    log = person.run("logs", echoer["id"]).stdout
    assert {line: log.count(f"heard: {line}") for line in typed} == dict.fromkeys(typed, 1)


def test_what_a_program_does_not_read_is_typed_once(person: Person) -> None:
    """A paste of which the terminal has taken a part when the daemon gives way."""
    shop, gate = person.workspace(), person.directory / "gate"
    program = (
        f"stty raw -echo; echo ready; until [ -e {gate} ]; do read -t 0.05 < /dev/null; done; head -c 30000 | cksum"
    )
    reader = person.spawn(shop, ["bash", "-c", program])
    said(person.home, reader["id"], "ready")
    pasted = "".join(f"{number:07}," for number in range(3750))
    link = Link(only_run(person.home).socket, {"agent_id": reader["id"], "mode": "rw"})
    link.type(pasted.encode())
    _exchange(link, lambda frame: False, 0.5)
    restart(person)
    gate.touch()
    right = subprocess.run(["cksum"], input=pasted.encode(), capture_output=True, check=True).stdout.split()[0]
    shown = bytearray()

    def is_there(frame: bytes | dict[str, Any]) -> bool:
        shown.extend(frame if isinstance(frame, bytes) else b"")
        return b" 30000" in shown

    _exchange(link, is_there, 20.0)
    link.close()
    assert right in bytes(shown), shown


def _exchange(link: Link, is_over: Any, seconds: float) -> None:

    ends = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        while (left := ends - time.monotonic()) > 0:
            if link.socket is not None:
                selector.register(link.socket, link.wanted())
                selector.select(min(left, 0.05))
                selector.unregister(link.socket)
            for frame in link.go_on(now=time.monotonic()):
                if is_over(frame):
                    return


@pytest.mark.parametrize("moment", ["spawn.intent_committed", "spawn.process_committed", "spawn.running"])
def test_a_spawn_that_is_under_way_is_answered(person: Person, moments: Moments, moment: str) -> None:
    shop = person.workspace()
    person.run("sessions", "start", shop)
    with moments.hold(moment) as held:
        spawning = person.start("spawn", shop, "--json", "--", *agent("silent"), stdout=subprocess.PIPE)
        before = held.wait()
        restarting = Repeater(1, lambda: restart(person))
        restarting.start()
        # It stands still in the middle; what asks it to give way has come by then, or comes later: both are well.
    said_of_it, _ = spawning.communicate(timeout=30)
    restarting.join()
    spawned = json.loads(said_of_it)
    assert spawning.returncode == 0
    process_gone(before)
    assert living(person) == {spawned["id"]: spawned["pid"]}
    assert len(person.run("ps", "-a", "--json").json["agents"]) == 1


def test_a_daemon_that_was_stopped_gives_way_too(person: Person) -> None:

    one = person.spawn(person.workspace(), agent("echoer"))
    os.kill(only_run(person.home).pid, signal.SIGSTOP)
    restart(person)
    assert living(person) == {one["id"]: one["pid"]}


@pytest.mark.supervisor("own")
def test_one_that_has_just_died_is_followed_by_one_of_the_installed_code_anyway(
    person: Person, moments: Moments
) -> None:
    """Somebody who asks while the supervisor is starting the next one waits for that."""
    one = person.spawn(person.workspace(), agent("echoer"))
    before = only_run(person.home)
    assert moments.wait_for("daemon.locking") == before.pid
    with moments.hold("daemon.locking") as held:
        os.kill(before.pid, signal.SIGKILL)
        following = held.wait()
        restarting = person.start("sessions", "restart", "shop", "--json", stdout=subprocess.PIPE)
        moments.wait_for("restart.awaited")
    (told,) = json.loads(restarting.communicate(timeout=30)[0])["restarted"]
    assert (told["was"]["pid"], told["now"]["pid"], restarting.returncode) == (before.pid, following, 0)
    assert living(person) == {one["id"]: one["pid"]}


def test_a_configuration_that_is_wrong_is_told_before_anything_changes(person: Person) -> None:
    shop = person.workspace()
    one = person.spawn(shop, agent("echoer"))
    run = only_run(person.home)
    (shop / ".scud" / "descartes.toml").write_text("[server]\nmax_connections = 'many'\n")
    refused = person.run("sessions", "restart", "shop", check=False)
    assert (refused.code, "max_connections" in refused.stderr) == (2, True), refused
    assert only_run(person.home) == run
    assert living(person) == {one["id"]: one["pid"]}


def test_who_has_no_daemon_is_told(person: Person) -> None:
    person.run("sessions", "create", person.workspace())
    refused = person.run("sessions", "restart", "shop", "elsewhere", "--json", check=False)
    assert refused.code == 5
    assert [one["code"] for one in refused.json["failed"]] == ["refused", "session_not_found"]
    assert person.run("sessions", "restart", "--all", "shop", check=False).code == 2
    assert person.run("sessions", "restart", "--all", "--json").json == {"restarted": [], "failed": []}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation.make(tmp_path / "installed")


@pytest.mark.supervisor("own")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "breaks", ["this is no Python\n", pytest.param("import sys; sys.exit(3)\n", marks=pytest.mark.soak)]
)
def test_older_code_goes_on_where_the_installed_does_not_begin(
    person: Person, installation: Installation, breaks: str
) -> None:
    shop = person.workspace()
    installation.run("sessions", "start", shop)
    one = person.spawn(shop, agent("echoer"))
    before: RunFile = run_of(person.home, one["session_id"])
    serve = installation.file("descartes_daemon/serve.py")
    right = serve.read_text()
    serve.write_text(breaks)
    ran = installation.try_run("sessions", "restart", shop)
    told = ran.json["restarted"][0]
    assert ran.code == 4
    assert "before it was ready" in told["fell_back"]
    assert told["now"]["stamp"] == before.stamp
    assert told["now"]["pid"] != before.pid
    assert living(person) == {one["id"]: one["pid"]}

    serve.write_text(right + "\n")
    told = installation.run("sessions", "restart", shop)["restarted"][0]
    assert told["fell_back"] is None
    assert told["now"]["stamp"] != before.stamp
    assert living(person) == {one["id"]: one["pid"]}
