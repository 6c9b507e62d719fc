"""After `kill -9` at any named moment the next daemon tells the truth."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.errors import NeverSpawned, SpawnFailed
from descartes_core.ids import new_id
from descartes_local.processes import Process, is_alive, process_of
from descartes_local.rpc_client import call
from tests.support.kept_daemon import KeptDaemon, assert_flood_outlives_kills, kept_daemon
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import process_gone


@pytest.fixture
def kept(person: Person, moments: Moments) -> Iterator[KeptDaemon]:
    """Give a daemon under a keeper, which stands still where a test says."""
    with kept_daemon(person) as kept:
        yield kept


def alive(pids: dict[str, Process]) -> set[str]:
    return {kind for kind, process in pids.items() if is_alive(process)}


def tree_of(kept: KeptDaemon, identity: str) -> dict[str, Process]:
    lines = [line.split() for line in kept.until_said(identity, b"ready").decode().splitlines()]
    return {kind: process for kind, pid in lines if (process := process_of(int(pid))) is not None}


def kill_at(kept: KeptDaemon, moments: Moments, moment: str, method: str, **params: object) -> None:
    """Ask for something, and kill the daemon when it has come to a moment."""
    with moments.hold(moment) as held:
        asked = kept.begin(method, **params)
        kept.kill(held.wait())
    asked.close()


@pytest.mark.parametrize("moment", ["spawn.intent_committed", "spawn.process_committed"])
def test_before_the_word_nothing_has_run(kept: KeptDaemon, moments: Moments, tmp_path: Path, moment: str) -> None:
    asked = {"agent_id": new_id(), "command": ["touch", str(tmp_path / "ran")], "request_id": "one"}
    kill_at(kept, moments, moment, "agent.spawn", **asked)
    found = kept.get(str(asked["agent_id"]))
    assert (found["status"], found["cause"], found["started_at"]) == ("failed", "never_spawned", None)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(NeverSpawned):
        kept.call("agent.spawn", **asked)
    kept.spawn(["true"])


def test_after_the_word_it_runs(kept: KeptDaemon, moments: Moments) -> None:
    asked = {"agent_id": new_id(), "command": agent("echoer"), "request_id": "one"}
    kill_at(kept, moments, "spawn.running", "agent.spawn", **asked)
    again = kept.call("agent.spawn", **asked)["agent"]
    assert (again["id"], again["status"]) == (asked["agent_id"], "running")
    kept.until_said(again["id"], b"ready")
    kept.call("agent.write", agent_id=again["id"], text="exit 6\n")
    assert kept.ended(again["id"])["exit_code"] == 6


def test_what_could_not_run_is_told_by_the_next_one(kept: KeptDaemon, moments: Moments) -> None:
    asked = {"agent_id": new_id(), "command": ["/no/such"], "request_id": "one"}
    with moments.hold("spawn.process_committed") as held:
        waiting = kept.begin("agent.spawn", **asked)
        pid = held.wait()
        # The helper is told to go on, and the daemon dies before it hears the answer.
        marks = kept.person.home.session(kept.id) / "agents" / str(asked["agent_id"]) / "exec"
        marks.write_text("go\nfailed 2 No such file or directory\n")
        kept.kill(pid)
    waiting.close()
    found = kept.get(str(asked["agent_id"]))
    assert (found["status"], found["cause"]) == ("failed", "exec_failed")
    with pytest.raises(SpawnFailed, match="cannot run '/no/such': No such file"):
        kept.call("agent.spawn", **asked)


@pytest.mark.parametrize("moment", ["agent.exited", "agent.end_stored"])
@pytest.mark.parametrize("how", ["code", "signal"])
def test_an_end_is_known_whoever_saw_it(
    kept: KeptDaemon, moments: Moments, tmp_path: Path, moment: str, how: str
) -> None:
    checksum = tmp_path / "checksum"
    flood = " ".join(agent("loud", 20_000, "--checksum", checksum))
    command = ["sh", "-c", f"{flood}; {'exit 7' if how == 'code' else 'kill -ABRT $$'}"]
    with moments.hold(moment) as held:
        spawned = kept.spawn(command)
        kept.kill(held.wait())
    ended = kept.ended(spawned["id"])
    assert (ended["exit_code"], ended["signal"]) == ((7, None) if how == "code" else (None, "SIGABRT"))
    assert ended["status"] == "failed"
    said = kept.output(spawned["id"])
    assert {"bytes": len(said), "sha256": hashlib.sha256(said).hexdigest()} == json.loads(checksum.read_text())
    # Stored, so it is reaped.
    process_gone(spawned["pid"])


def test_a_flood_goes_on_at_its_byte(kept: KeptDaemon, tmp_path: Path) -> None:
    assert_flood_outlives_kills(kept, tmp_path)


def test_a_terminal_is_typed_into_and_sized_as_before(kept: KeptDaemon) -> None:
    spawned = kept.spawn(agent("echoer"), rows=33, cols=99)
    kept.until_said(spawned["id"], b"ready")
    kept.kill()
    kept.call("agent.write", agent_id=spawned["id"], text="hello\n")
    kept.until_said(spawned["id"], b"heard: hello")
    found = kept.get(spawned["id"])
    assert (found["rows"], found["cols"], found["notice"]) == (33, 99, None)


def test_a_kill_that_was_asked_for_is_finished(kept: KeptDaemon, moments: Moments) -> None:
    spawned = kept.spawn(agent("forker", "--deaf"), grace=3600.0)
    tree = tree_of(kept, spawned["id"])
    kill_at(kept, moments, "agent.killed", "agent.kill", agent_id=spawned["id"], request_id="one")
    killed = kept.call("agent.kill", agent_id=spawned["id"], request_id="one")["agent"]
    assert (killed["status"], killed["signal"]) == ("terminated", "SIGKILL")
    assert alive(tree) == set()


def test_a_stop_that_was_asked_for_goes_on(kept: KeptDaemon) -> None:
    spawned = kept.spawn(agent("forker", "--deaf"), grace=1.0)
    tree = tree_of(kept, spawned["id"])
    asked = kept.begin("agent.stop", agent_id=spawned["id"])
    while kept.get(spawned["id"])["status"] != "stopping":
        pass
    kept.kill()
    asked.close()
    assert kept.ended(spawned["id"])["status"] == "terminated"
    assert alive(tree) == set()


def test_a_stops_own_grace_outlives_the_daemon(kept: KeptDaemon) -> None:
    """The agent's own was an hour: the next daemon once waited for that."""
    spawned = kept.spawn(agent("deaf"), grace=3600.0)
    kept.until_said(spawned["id"], b"ready")
    asked = kept.begin("agent.stop", agent_id=spawned["id"], grace=2.0)
    while kept.get(spawned["id"])["status"] != "stopping":
        pass
    kept.kill()
    asked.close()
    ended = kept.ended(spawned["id"])
    assert (ended["status"], ended["signal"]) == ("terminated", "SIGKILL")


def test_what_an_ended_agent_left_is_ended_by_the_next_one(kept: KeptDaemon, moments: Moments) -> None:
    with moments.hold("agent.end_stored") as held:
        spawned = kept.spawn(agent("forker", "--deaf", "--code", "0"), grace=0.3)
        pid = held.wait()
        tree = tree_of_log(kept, spawned["id"])
        assert alive(tree) == {"child", "setsid", "double"}
        kept.kill(pid)
    for process in tree.values():
        process_gone(process.pid)


def tree_of_log(kept: KeptDaemon, identity: str) -> dict[str, Process]:
    """Read what a forker told while its daemon stands still."""
    log = kept.person.home.session(kept.id) / "agents" / identity / "output.log"
    lines = [line.split() for line in log.read_text().splitlines()]
    return {kind: process for kind, pid in lines if (process := process_of(int(pid))) is not None}


def test_who_was_paused_stays_paused(kept: KeptDaemon) -> None:
    spawned = kept.spawn(agent("echoer"))
    kept.until_said(spawned["id"], b"ready")
    kept.call("agent.pause", agent_id=spawned["id"])
    kept.kill()
    assert kept.get(spawned["id"])["status"] == "paused"
    assert kept.call("agent.resume", agent_id=spawned["id"])["agent"]["status"] == "running"
    kept.call("agent.write", agent_id=spawned["id"], text="exit\n")
    assert kept.ended(spawned["id"])["exit_code"] == 0


@pytest.mark.parametrize("moment", ["daemon.adopted", "daemon.ready"])
def test_adoption_itself_may_be_killed(kept: KeptDaemon, moments: Moments, moment: str) -> None:
    spawned = kept.spawn(agent("echoer"))
    kept.until_said(spawned["id"], b"ready")
    with moments.hold(moment) as held:
        first = held.wait()  # who served until now
        kept.kill(first)
        kept.kill(held.wait())
    kept.call("agent.write", agent_id=spawned["id"], text="exit 2\n")
    assert kept.ended(spawned["id"])["exit_code"] == 2
    moves = [event["data"]["cause"] for event in events_of(kept, spawned["id"]) if "cause" in event["data"]]
    assert moves == ["spawned", "ended_badly"]


def events_of(kept: KeptDaemon, identity: str) -> list[dict[str, dict[str, str]]]:
    found: list[dict[str, dict[str, str]]] = kept.call("event.list", filter={"agent_ids": [identity]})["events"]
    return [event for event in found if event["type"] == "AgentEvent"]  # type: ignore[comparison-overlap]


def test_nothing_of_an_ended_agent_stays_in_keeping(kept: KeptDaemon) -> None:
    spawned = kept.spawn(["true"])
    kept.ended(spawned["id"])
    kept.kill()
    kept.call("system.shutdown")
    assert kept.until("kept") == "lock-data lock-workspace"


def test_agents_stay_when_their_daemon_is_told_to_end(kept: KeptDaemon) -> None:
    spawned = kept.spawn(agent("silent"))
    os.kill(kept.pid, signal.SIGTERM)
    assert kept.until("kept").split() == [
        *(f"agent-{spawned['id']}-{part}" for part in ("in", "master", "out", "pid")),
        "lock-data",
        "lock-workspace",
    ]


@pytest.mark.parametrize("stem", ["output", "errors"])
def test_a_log_that_cannot_be_opened_is_one_agents_affair(kept: KeptDaemon, stem: str) -> None:
    """It is lost for as long as that lasts, and keeps nobody else from being served."""
    other = kept.spawn(agent("echoer"))
    spoiled = kept.spawn(["sh", "-c", "read word; echo $word; exit 6"], tty=stem == "output")
    log = Path(kept.get(spoiled["id"])[f"{'log' if stem == 'output' else 'errors'}_path"])
    log.rename(log.with_suffix(".away"))
    log.mkdir()
    for _ in range(2):
        kept.kill()
        lost = kept.get(spoiled["id"])
        assert (lost["status"], lost["pid"]) == ("lost", spoiled["pid"])
        assert lost["evidence"].startswith("its log cannot be opened")
        assert kept.get(other["id"])["status"] == "running"
    log.rmdir()
    log.with_suffix(".away").rename(log)
    kept.kill()
    assert kept.get(spoiled["id"])["status"] == "running"
    kept.call("agent.write", agent_id=spoiled["id"], text="said\n")
    assert kept.ended(spoiled["id"])["exit_code"] == 6
    assert b"said" in kept.output(spoiled["id"])
    kept.call("agent.write", agent_id=other["id"], text="exit 6\n")
    assert kept.ended(other["id"])["exit_code"] == 6


def test_without_a_keeper_what_was_lost_is_said(person: Person, moments: Moments) -> None:
    """Alone, a killed daemon's terminals close: its agents get a hang-up, and nobody knows how they ended."""
    session, shop = new_id(), person.workspace()
    words = ("--workdir", shop, "--session-id", session, "--http-port", 28080, "--ws-port", 28081)
    first = person.start(*words, command="descartes-daemon")
    moments.wait_for("daemon.ready")
    socket = person.home.daemon_socket(session)
    loud = call(socket, "agent.spawn", {"command": agent("echoer")})["agent"]
    deaf = call(socket, "agent.spawn", {"command": agent("deaf")})["agent"]
    while b"ready" not in (person.home.session(session) / "agents" / deaf["id"] / "output.log").read_bytes():
        pass
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    process_gone(loud["pid"])
    second = person.start(*words, command="descartes-daemon")
    moments.wait_for("daemon.ready")
    found = {one["id"]: one for one in call(socket, "agent.list", {"all": True})["agents"]}
    lost = call(socket, "agent.get", {"agent_id": deaf["id"]})["agent"]
    call(socket, "agent.wait", {"agent_id": loud["id"], "timeout": 10.0})
    gone = call(socket, "agent.get", {"agent_id": loud["id"]})["agent"]
    assert (gone["status"], gone["exit_code"], gone["signal"]) == ("failed", None, None)
    assert found[deaf["id"]]["status"] == "lost"
    missing = "its terminal was in nobody's keeping: from byte {} on what it said may be missing"
    assert lost["evidence"] == missing.format(lost["output_bytes"])
    assert gone["evidence"] == "exit status unknown; " + missing.format(gone["output_bytes"])
    told = [event["data"] for event in call(socket, "event.list", {})["events"] if event["type"] == "SystemEvent"][-1]
    assert {one["agent_id"]: one["offset"] for one in told["lost"]} == {
        one["id"]: one["output_bytes"] for one in (lost, gone)
    }
    assert lost["notice"] == "its terminal is lost"
    killed = call(socket, "agent.kill", {"agent_id": deaf["id"]})["agent"]
    assert killed["status"] == "failed"
    process_gone(deaf["pid"])
    call(socket, "system.shutdown", {})
    assert second.wait(20) == 0
