"""`kill -9` of the supervisor: daemons go on and hand themselves over, and nothing is lost, then or later."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from descartes_core.agent_life import FINAL
from descartes_local.endings import UNKNOWN
from descartes_local.processes import stat_of
from descartes_local.run_file import read_run_files
from descartes_local.supervisor_client import ensure
from tests.support.inside import PATIENCE
from tests.support.keepers import TurnKiller, kill_supervisor, next_supervisor, replaced, supervisor_pid
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.serving import kill_daemon, only_run, said
from tests.support.storm import Hand, Knocker, ask, complaints, run_of
from tests.support.waiting import process_gone, wait_until

#: DESCARTES' own variables are wiped in tests; this one is the tests' own.
SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1 << 30)


def get(person: Person, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = ask(only_run(person.home).socket, "agent.get", {"agent_id": identity})["agent"]
    return found


def ended(person: Person, identity: str) -> dict[str, Any]:
    ask(only_run(person.home).socket, "agent.wait", {"agent_id": identity, "timeout": PATIENCE})
    return get(person, identity)


def begun(person: Person) -> int:
    """Count the supervisors there were; one that renews itself stays one."""
    return len(set(re.findall(r"supervisor (\d+) begins", (person.home.log / "supervisor.log").read_text())))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("times", [pytest.param(2, id="2"), pytest.param(40, id="40", marks=pytest.mark.soak)])
def test_nothing_is_lost_when_supervisor_and_daemon_are_killed_in_turn(person: Person, times: int) -> None:
    """Floods, typing, short-lived agents; and one that is there from the beginning to the end."""
    dice = random.Random(SEED)
    person.home.make()
    (person.home.path / "config.toml").write_text("[supervisor]\nearly_deaths = 1000\ndeaths = 1000\n")
    shop = person.workspace("shop")
    stays = person.spawn(shop, agent("echoer"))
    session = person.run("sessions", "start", shop, "--json").json
    knocker = Knocker(int(session["http_endpoint"].rpartition(":")[2]))
    killer = TurnKiller(person.home, session["id"], times, random.Random(dice.random()))
    hands = [Hand(person.home, session["id"], person.directory, random.Random(n), killer.over) for n in range(2)]
    workers = [threading.Thread(target=hand.work, name="hand") for hand in hands]
    for thread in (knocker, killer, *workers):
        thread.start()
    for thread in (killer, *workers):
        thread.join()
    knocker.stopped.set()
    knocker.join()

    assert len(killer.killed) == 2 * times
    agents = {one["id"]: one for one in person.run("ps", "-a", "--json").json["agents"]}
    assert complaints(hands, agents, person.home.session(session["id"]) / "agents") == [], f"seed {SEED}"
    assert knocker.refused == []
    assert agents[stays["id"]]["pid"] == stays["pid"]
    assert {one["status"] for one in agents.values() if one["id"] != stays["id"]} <= FINAL, f"seed {SEED}"
    person.run("send", "--enter", stays["id"], "exit 3")
    assert ended(person, stays["id"])["exit_code"] == 3
    assert begun(person) == times + 1


def test_endings_between_two_supervisors_are_right_whoever_reaps_them(person: Person, moments: Moments) -> None:
    """One is the daemon's child; the other was adopted, and is nobody's of ours when it ends."""
    shop = person.workspace("shop")
    adopted = person.spawn(shop, agent("echoer"))
    kill_daemon(person.home)
    own = person.spawn(shop, agent("echoer"))
    run = only_run(person.home)
    for one in (adopted, own):
        said(person.home, one["id"], "ready")
    with moments.hold("keeper.lost") as lost:
        killed = kill_supervisor(person.home)
        lost.wait()
        parents = [stat.parent for one in (adopted, own) if (stat := stat_of(one["pid"]))]
        assert parents[0] not in (run.pid, killed)
        assert parents[1] == run.pid
        os.kill(adopted["pid"], signal.SIGUSR1)
        os.kill(own["pid"], signal.SIGUSR2)
        process_gone(adopted["pid"])
        process_gone(own["pid"])
    assert [ended(person, one["id"])["signal"] for one in (adopted, own)] == ["SIGUSR1", "SIGUSR2"]
    next_supervisor(person.home, killed)


def test_five_hand_themselves_over_at_once_and_the_first_question_is_answered_with_all(person: Person) -> None:
    shops = [person.workspace(f"shop-{number}") for number in range(5)]
    agents = [person.spawn(shop, agent("echoer")) for shop in shops]
    before = {run.session_id: run.pid for run in read_run_files(person.home)}
    killed = kill_supervisor(person.home)
    with ensure(person.home) as supervisor:
        told = supervisor.call("status")
    assert (told["sessions"], told["kept"], told["pid"] != killed) == (5, 5, True)
    assert {run.session_id: run.pid for run in read_run_files(person.home)} == before
    assert begun(person) == 2
    next_supervisor(person.home, killed)
    for run in read_run_files(person.home):
        os.kill(run.pid, signal.SIGKILL)
    for one in agents:
        run = wait_until(
            lambda one=one: (run := run_of(person.home, one["session_id"])).pid not in before.values() and run,  # type: ignore[misc]
            "the next daemon",
            30.0,
        )
        assert ask(run.socket, "agent.get", {"agent_id": one["id"]})["agent"]["pid"] == one["pid"]


def test_commands_and_a_daemon_race_to_start_the_next_and_there_is_one(person: Person) -> None:
    shop, other = person.workspace("shop"), person.workspace("other")
    person.spawn(shop, agent("echoer"))
    killed = kill_supervisor(person.home)
    with ThreadPoolExecutor(3) as pool:
        begins: list[Future[Any]] = [
            pool.submit(person.run, "sessions", "start", other),
            pool.submit(person.run, "spawn", shop, "--", *agent("echoer")),
            pool.submit(lambda: ensure(person.home).close()),
        ]
        for one in begins:
            one.result()
    pid = wait_until(lambda: (pid := supervisor_pid(person.home)) != killed and pid, "the next one")
    wait_until(lambda: replaced(run_named(person, "shop")) == [pid], "the daemon is handed over")
    assert begun(person) == 2
    told = person.run("supervisor", "status", "--json").json
    assert (told["sessions"], told["kept"]) == (2, 2)


def run_named(person: Person, name: str) -> Any:
    return next(run for run in read_run_files(person.home) if run.name == name)


def test_what_is_spawned_between_two_supervisors_is_kept_by_the_next(person: Person, moments: Moments) -> None:
    """Until then it is told that it would end with its daemon; afterwards it does not."""
    shop = person.workspace("shop")
    first = person.spawn(shop, agent("echoer"))
    with moments.hold("supervisor.begins") as begins:
        killed = kill_supervisor(person.home)
        moments.wait_for("keeper.lost")
        begins.wait()
        second = ask(only_run(person.home).socket, "agent.spawn", {"command": agent("echoer")})["agent"]
        assert get(person, second["id"])["notice"] == "not in keeping: ends with its daemon"
        assert "the supervisor is gone" in notices(person)
    next_supervisor(person.home, killed)
    assert notices(person) == ""
    assert [get(person, one["id"])["notice"] for one in (first, second)] == [None, None]
    kill_daemon(person.home)
    assert [get(person, one["id"])["pid"] for one in (first, second)] == [first["pid"], second["pid"]]


def test_a_daemon_that_is_asked_to_end_just_then_leaves_its_agents_to_the_next(person: Person) -> None:
    shop = person.workspace("shop")
    one = person.spawn(shop, agent("echoer"))
    run = only_run(person.home)
    kill_supervisor(person.home)
    os.kill(run.pid, signal.SIGTERM)
    process_gone(run.pid)
    person.run("sessions", "start", shop)
    assert get(person, one["id"])["pid"] == one["pid"]
    assert get(person, one["id"])["status"] == "running"


@pytest.mark.parametrize("moment", ["keeper.begun", "keeper.given"])
def test_a_supervisor_killed_in_a_hand_over_is_followed_by_one_that_gets_all(
    person: Person, moments: Moments, moment: str
) -> None:
    shop = person.workspace("shop")
    one = person.spawn(shop, agent("echoer"))
    with moments.hold(moment) as held:
        first = kill_supervisor(person.home)
        held.wait()
        second = kill_supervisor(person.home)
    assert next_supervisor(person.home, second) not in (first, second)
    kill_daemon(person.home)
    assert get(person, one["id"])["pid"] == one["pid"]


def test_a_daemon_killed_once_it_has_given_all_is_followed_by_one_that_adopts_all(
    person: Person, moments: Moments
) -> None:
    shop = person.workspace("shop")
    one = person.spawn(shop, agent("echoer"))
    before = only_run(person.home)
    with moments.hold("keeper.given") as held:
        kill_supervisor(person.home)
        held.wait()
        os.kill(before.pid, signal.SIGKILL)
        process_gone(before.pid)
    wait_until(lambda: only_run(person.home).pid != before.pid, "the next daemon", 30.0)
    assert only_run(person.home).http_endpoint == before.http_endpoint
    assert get(person, one["id"])["pid"] == one["pid"]


def test_what_dies_with_both_is_named_and_nothing_pretends_to_live(person: Person) -> None:
    """Both stopped, then killed: terminals hang up. Who ignores that lives on, is lost, and can be ended."""
    shop = person.workspace("shop")
    deaf, hears, piped = (
        person.spawn(shop, agent("deaf")),
        person.spawn(shop, agent("echoer")),
        person.spawn(shop, agent("echoer"), "--no-tty"),
    )
    said(person.home, deaf["id"], "ready ")
    said(person.home, hears["id"], "ready")
    pair = (supervisor_pid(person.home), only_run(person.home).pid)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pair:
            os.kill(pid, number)
    for pid in (*pair, hears["pid"], piped["pid"]):
        process_gone(pid)
    shown = {one["id"]: one["status"] for one in person.run("ps", "-a", "--json").json["agents"]}
    assert shown[hears["id"]] == "lost"
    person.run("sessions", "start", shop)
    gone, ended_input = ended(person, hears["id"]), ended(person, piped["id"])
    assert (gone["status"], gone["exit_code"], gone["signal"]) == ("failed", None, None)
    assert "failed (code unknown)" in person.run("ps", "-a").stdout
    waited = person.run("wait", hears["id"], check=False)
    assert (waited.code, "nobody knows how" in waited.stderr) == (1, True), waited
    assert gone["evidence"].startswith(f"{UNKNOWN}; ")
    assert f"from byte {gone['output_bytes']} on" in gone["evidence"]
    assert ended_input["status"] in FINAL
    alive = get(person, deaf["id"])
    assert (alive["status"], alive["notice"]) == ("lost", "its terminal is lost")
    (started,) = [
        event["data"]
        for event in ask(only_run(person.home).socket, "event.list", {})["events"]
        if event["event_type"] == "daemon_started" and event["data"]["lost"]
    ]
    assert {one["agent_id"] for one in started["lost"]} == {deaf["id"], hears["id"], piped["id"]}
    assert person.run("kill", deaf["id"], check=False).code == 0
    process_gone(deaf["pid"])
    assert get(person, deaf["id"])["status"] in FINAL


def test_an_ending_that_only_the_supervisor_has_seen_outlives_both(person: Person, moments: Moments) -> None:
    """It is written down before anything reaps it."""
    shop = person.workspace("shop")
    one = person.spawn(shop, agent("echoer"))
    kill_daemon(person.home)
    before = only_run(person.home)
    with moments.hold("agent.exited") as exited:
        ask(before.socket, "agent.write", {"agent_id": one["id"], "text": "exit 9\n"})
        exited.wait()
        exits: Path = person.home.run / "exits"
        wait_until(lambda: exits.exists() and str(one["pid"]) in exits.read_text(), "the supervisor has seen it")
        for pid in (supervisor_pid(person.home), before.pid):
            os.kill(pid, signal.SIGKILL)
            process_gone(pid)
    person.run("sessions", "start", shop)
    assert ended(person, one["id"])["exit_code"] == 9
    wait_until(lambda: not exits.exists(), "it is forgotten once it is committed")


def test_agents_and_their_daemon_go_on_while_the_supervisor_stands_still(person: Person) -> None:
    shop = person.workspace("shop")
    one = person.spawn(shop, agent("echoer"))
    pid = supervisor_pid(person.home)
    os.kill(pid, signal.SIGSTOP)
    person.run("send", "--enter", one["id"], "hello")
    assert "heard: hello" in said(person.home, one["id"], "heard: hello")
    assert person.run("ps", "--json").json["agents"][0]["status"] == "running"
    os.kill(pid, signal.SIGKILL)  # as the commands that need it say after their patience
    assert next_supervisor(person.home, pid) != pid
    assert json.loads((person.home.run / "supervisor.json").read_text())["pid"] != pid
    kill_daemon(person.home)
    assert get(person, one["id"])["pid"] == one["pid"]


@pytest.mark.soak  # a daemon waits five seconds for an answer before it goes on without
def test_what_a_supervisor_could_not_take_while_it_stood_still_is_kept_afterwards(person: Person) -> None:
    shop = person.workspace("shop")
    person.spawn(shop, agent("echoer"))
    pid = supervisor_pid(person.home)
    os.kill(pid, signal.SIGSTOP)
    one = person.spawn(shop, agent("echoer"))
    assert get(person, one["id"])["notice"] == "not in keeping: ends with its daemon"
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: get(person, one["id"])["notice"] is None, "it is kept", 30.0)
    kill_daemon(person.home)
    assert get(person, one["id"])["pid"] == one["pid"]


def test_a_daemon_that_could_start_none_hands_over_to_whoever_comes_next(person: Person) -> None:
    """The configuration is broken when the supervisor dies; nobody asks in vain until it is mended."""
    shop = person.workspace("shop")
    one = person.spawn(shop, agent("echoer"))
    config = person.home.path / "config.toml"
    config.write_text("[supervisor]\nlinger = 'long'\n")
    killed = kill_supervisor(person.home)
    wait_until(lambda: "no supervisor keeps" in notices(person), "the daemon has tried")
    person.run("send", "--enter", one["id"], "hello")
    assert "heard: hello" in said(person.home, one["id"], "heard: hello")
    config.unlink()
    with ensure(person.home) as supervisor:
        assert supervisor.call("ping")["pid"] != killed
    next_supervisor(person.home, killed)
    assert notices(person) == ""
    kill_daemon(person.home)
    assert get(person, one["id"])["pid"] == one["pid"]


@pytest.mark.soak  # a daemon waits five seconds for an answer before it goes on without
def test_a_supervisor_that_stood_still_when_a_daemon_began_has_all_of_it_afterwards(
    person: Person, moments: Moments
) -> None:
    shop = person.workspace("shop")
    with moments.hold("daemon.ready") as ready:
        starting = person.start("sessions", "start", shop)
        ready.wait()
        os.kill(supervisor_pid(person.home), signal.SIGSTOP)
    wait_until(lambda: "the supervisor is gone" in notices(person), "the daemon has asked in vain", 30.0)
    os.kill(supervisor_pid(person.home), signal.SIGCONT)
    assert starting.wait(30) == 0
    one = person.spawn(shop, agent("echoer"))
    wait_until(lambda: notices(person) == "", "the supervisor knows it", 30.0)
    wait_until(lambda: get(person, one["id"])["notice"] is None, "it is kept", 30.0)
    kill_daemon(person.home)
    assert get(person, one["id"])["pid"] == one["pid"]
    assert begun(person) == 1


def notices(person: Person) -> str:
    return "; ".join(ask(only_run(person.home).socket, "session.info", {})["session"]["notices"])
