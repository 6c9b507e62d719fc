"""The supervisor is renewed under load, and nobody notices: no byte, pid, connection or exit code is another."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agent_life import FINAL
from descartes_local.processes import stat_of
from descartes_local.run_file import RunFile
from descartes_local.supervisor_client import ensure
from tests.support.listener import Listener
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.repeating import Repeater
from tests.support.storm import Hand, Killer, Knocker, ask, complaints, run_of
from tests.support.waiting import process_gone, wait_until

ABOUT, RENEWED = "supervisor.about_to_renew", "supervisor.renewed"


def renew(person: Person) -> dict[str, Any]:
    told: dict[str, Any] = person.run("supervisor", "upgrade", "--json").json
    return told


def supervisor_pid(person: Person) -> int:
    with ensure(person.home) as supervisor:
        return int(supervisor.call("ping")["pid"])


def sockets_of(run: RunFile) -> set[str]:
    """Return the sockets that a daemon has open."""
    there, found = Path(f"/proc/{run.pid}/fd"), set()
    for name in os.listdir(there):
        with suppress(FileNotFoundError):  # it is just being closed
            found.add(os.readlink(there / name))
    return {name for name in found if name.startswith("socket:")}


def kill_daemon(person: Person, session_id: str) -> RunFile:
    """Kill it and return the next one."""
    before = run_of(person.home, session_id)
    os.kill(before.pid, signal.SIGKILL)
    process_gone(before.pid)
    ask(before.socket, "session.info", {})
    return wait_until(
        lambda: (run := run_of(person.home, session_id)).pid != before.pid and run, "the next daemon serves", 20.0
    )


def living(person: Person) -> dict[str, int]:
    told = person.run("ps", "-a", "--json").json["agents"]
    return {one["id"]: one["pid"] for one in told if one["status"] not in FINAL}


class Typist(threading.Thread):
    """Sits at an attached terminal, types a word, and waits until the agent has heard it; again and again."""

    def __init__(self, person: Person, agent_id: str, over: threading.Event) -> None:
        super().__init__(name="typist")
        self._over = over
        self._terminal, theirs = pty.openpty()
        self.attach = person.start("attach", agent_id, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self._read(b"ready")
        self.heard = 0

    def run(self) -> None:
        """Type until the renewals are over, then leave."""
        while not self._over.is_set():
            os.write(self._terminal, b"word-%d.\r" % self.heard)
            self._read(b"heard: word-%d." % self.heard)
            self.heard += 1
        self.attach.terminate()
        self.attach.wait(20)
        os.close(self._terminal)

    def _read(self, wanted: bytes) -> None:
        said = b""
        while wanted not in said:
            assert select.select([self._terminal], [], [], 20.0)[0], f"{wanted!r} is not in {said!r}"
            said += os.read(self._terminal, 65_536)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("times", [pytest.param(1, id="1"), pytest.param(20, id="20", marks=pytest.mark.soak)])
def test_nobody_notices_renewals_under_load(person: Person, times: int) -> None:
    """Floods, typing, `attach`, a listener, `logs -f`, `wait`; then the daemon is killed, and all of it is there."""
    shop = person.workspace("shop")
    session = person.run("sessions", "start", shop, "--json").json
    supervisor, run = supervisor_pid(person), run_of(person.home, session["id"])
    told = person.directory / "told"
    loud = person.spawn(shop, agent("loud", 30_000, "--block", 10, "--pause", 0.001, "--checksum", told))
    short = person.spawn(shop, agent("echoer"))
    stays = person.spawn(shop, agent("echoer"))
    logs = person.start("logs", "-f", loud["id"], stdout=subprocess.PIPE)
    wait = person.start("wait", short["id"])
    knocker, renewer = Knocker(int(session["http_endpoint"].rpartition(":")[2])), Repeater(times, lambda: renew(person))
    hand = Hand(person.home, session["id"], person.directory, random.Random(1), renewer.over)
    typist = Typist(person, stays["id"], renewer.over)
    threads = [knocker, renewer, typist, threading.Thread(target=hand.work, name="hand")]
    with closing(Listener(session["ws_endpoint"], person.home.path)) as listener:
        for thread in threads:
            thread.start()
        for thread in threads[1:]:
            thread.join()
        person.run("send", "--enter", short["id"], "exit 23")
        assert wait.wait(20) == 23
        said, _ = logs.communicate(timeout=60)
        right = json.loads(told.read_text())
        assert hashlib.sha256(said.replace(b"\n", b"\r\n")).hexdigest() == right["sha256"]
        knocker.stopped.set()
        knocker.join()
        listener.catch_up(ask(run.socket, "event.list", {"limit": 1})["last_seq"])
        assert (knocker.refused, knocker.cut, listener.returns) == ([], 0, 0)
    assert typist.heard > times
    assert [one["pid"] for one in renewer.told] == [supervisor] * times
    assert run_of(person.home, session["id"]) == run
    assert [event["event_type"] for event in listener.events].count("daemon_started") <= 1
    assert living(person) == {stays["id"]: stays["pid"]}
    agents = {one["id"]: one for one in person.run("ps", "-a", "--json").json["agents"]}
    assert complaints([hand], agents, person.home.session(session["id"]) / "agents") == []
    kill_daemon(person, session["id"])
    assert living(person) == {stays["id"]: stays["pid"]}
    person.run("send", "--enter", stays["id"], "exit 0")
    person.run("wait", stays["id"])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("times", [pytest.param(2, id="2"), pytest.param(30, id="30", marks=pytest.mark.soak)])
def test_daemons_are_killed_while_renewals_go_on(person: Person, times: int) -> None:
    """No log, exit code or line is lost, and nobody is refused, whichever comes in the middle of the other."""
    person.home.make()
    rule = "early_deaths = 1000\ndeaths = 1000\nfirst_pause = 0.01\nlongest_pause = 0.05"
    (person.home.path / "config.toml").write_text(f"[supervisor]\n{rule}\n")
    shop, dice = person.workspace("shop"), random.Random()
    session = person.run("sessions", "start", shop, "--json").json
    supervisor = supervisor_pid(person)
    knocker = Knocker(int(session["http_endpoint"].rpartition(":")[2]))
    killer = Killer(person.home, session["id"], times, random.Random(dice.random()))
    hands = [
        Hand(person.home, session["id"], person.directory, random.Random(dice.random()), killer.over) for _ in range(2)
    ]
    workers = [killer, *(threading.Thread(target=hand.work, name="hand") for hand in hands)]
    for thread in (knocker, *workers):
        thread.start()
    renewals = 0
    while not killer.over.is_set():
        assert renew(person)["pid"] == supervisor
        renewals += 1
    for thread in workers:
        thread.join()
    knocker.stopped.set()
    knocker.join()
    agents = {one["id"]: one for one in person.run("ps", "-a", "--json").json["agents"]}
    assert complaints(hands, agents, person.home.session(session["id"]) / "agents") == []
    assert (knocker.refused, renewals > 0, {one["status"] for one in agents.values()} <= FINAL) == ([], True, True)


def test_a_daemons_line_to_the_supervisor_stays_the_same(person: Person) -> None:
    shop = person.workspace("shop")
    one = person.spawn(shop, agent("echoer"))
    run = run_of(person.home, one["session_id"])
    before = sockets_of(run)
    ask(run.socket, "session.info", {})
    before &= sockets_of(run)  # those of commands that had just ended are closed by now
    renew(person)
    renew(person)
    assert before <= sockets_of(run)
    assert stat_of(run.pid).parent == supervisor_pid(person)  # type: ignore[union-attr]


def test_a_daemon_that_dies_during_a_renewal_is_back_with_all_its_agents(person: Person, moments: Moments) -> None:
    shop = person.workspace("shop")
    told = person.directory / "told"
    loud = person.spawn(shop, agent("loud", 50_000, "--checksum", told, "--code", 7, "--pause", 0.001))
    quiet = person.spawn(shop, agent("echoer"))
    before = run_of(person.home, loud["session_id"])
    with ThreadPoolExecutor(1) as pool, moments.hold(RENEWED) as held:
        renewal = pool.submit(renew, person)
        held.wait()
        os.kill(before.pid, signal.SIGKILL)
        process_gone(before.pid)
        held.release()
        assert renewal.result()["pid"]
    assert person.run("wait", loud["id"], check=False).code == 7
    log = person.home.session(loud["session_id"]) / "agents" / loud["id"] / "output.log"
    assert log.stat().st_size == json.loads(told.read_text())["bytes"]
    assert living(person) == {quiet["id"]: quiet["pid"]}


@pytest.mark.parametrize("moment", [ABOUT, RENEWED])
def test_a_supervisor_killed_in_the_middle_of_its_renewal_loses_nothing(
    person: Person, moments: Moments, moment: str
) -> None:
    """The daemon hands everything to the next one, as after any death."""
    shop = person.workspace("shop")
    quiet = person.spawn(shop, agent("echoer"))
    before, pid = run_of(person.home, quiet["session_id"]), supervisor_pid(person)
    with ThreadPoolExecutor(1) as pool, moments.hold(moment) as held:
        renewal = pool.submit(person.run, "supervisor", "upgrade", check=False)
        held.wait()
        os.kill(pid, signal.SIGKILL)
        process_gone(pid)
        held.release()
        ended = renewal.result()
    assert ended.code == 4, str(ended)
    assert "daemons and agents go on" in ended.stderr
    wait_until(lambda: supervisor_pid(person) != pid and kept(person) == 1, "the next one keeps the agent", 20.0)
    assert run_of(person.home, quiet["session_id"]).pid == before.pid
    # One that handed itself over is nobody's child, and goes along all the same.
    renew(person)
    assert kept(person) == 1
    kill_daemon(person, quiet["session_id"])
    assert living(person) == {quiet["id"]: quiet["pid"]}


def kept(person: Person) -> int:
    with ensure(person.home) as supervisor:
        return int(supervisor.call("status")["kept"])


def test_broken_code_is_told_and_the_old_one_goes_on(person: Person) -> None:
    shop = person.workspace("shop")
    quiet = person.spawn(shop, agent("echoer"))
    broken = person.directory / "broken" / "descartes_orchestrator" / "supervisor"
    broken.mkdir(parents=True)
    for place in (broken.parent, broken):
        (place / "__init__.py").write_text("")
    (broken / "__main__.py").write_text("def begin(:\n")
    script = person.directory / "python"
    script.write_text(f'#!/bin/sh\nshift\nPYTHONPATH={broken.parents[1]} exec {sys.executable} "$@"\n')
    script.chmod(0o700)
    pid = supervisor_pid(person)
    with ensure(person.home) as supervisor, pytest.raises(Exception, match="SyntaxError"):
        supervisor.call("upgrade", {"python": str(script)})
    told = person.run("supervisor", "status", "--json").json
    assert (told["pid"], told["renewals"], "SyntaxError" in told["renewal_failed"]) == (pid, 0, True)
    kill_daemon(person, quiet["session_id"])
    assert living(person) == {quiet["id"]: quiet["pid"]}


def test_a_daemon_started_again_by_newer_code_takes_its_supervisor_along(person: Person) -> None:
    """Nobody asked for the start, and nobody has to wait for the renewal: it follows."""
    shop = person.workspace("shop")
    quiet = person.spawn(shop, agent("echoer"))
    packages = person.directory / "our-packages"  # who installs something there leaves other code behind
    packages.mkdir()
    script = person.directory / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys.executable} "$@"\n')
    script.chmod(0o700)
    with ensure(person.home) as supervisor:
        before = supervisor.call("upgrade", {"python": str(script)})["to"]["stamp"]
        kill_daemon(person, quiet["session_id"])
        (packages / "another.py").write_text("")
        kill_daemon(person, quiet["session_id"])
        status = wait_until(
            lambda: (told := supervisor.call("status"))["renewals"] == 2 and told, "it is renewed by itself", 30.0
        )
    assert status["stamp"] != before
    assert living(person) == {quiet["id"]: quiet["pid"]}
    kill_daemon(person, quiet["session_id"])
    with ensure(person.home) as supervisor:
        assert supervisor.call("status")["renewals"] == 2
