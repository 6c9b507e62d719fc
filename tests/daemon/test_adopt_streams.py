"""Agents without a terminal go on over a `kill -9`: their stdin, their files, how they ended."""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import NeverSpawned, OutcomeUnknown, Refused
from descartes_core.ids import new_id
from descartes_local.rpc_client import call
from tests.support.kept_daemon import KeptDaemon, kept_daemon
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.waiting import process_gone


@pytest.fixture
def kept(person: Person, moments: Moments) -> Iterator[KeptDaemon]:
    """Give a daemon under a keeper, which stands still where a test says."""
    with kept_daemon(person) as kept:
        yield kept


def spawn(kept: KeptDaemon, *command: str, **more: Any) -> str:
    return str(kept.spawn(list(command), tty=False, **more)["id"])


def write(kept: KeptDaemon, identity: str, text: str = "", **more: Any) -> None:
    kept.call("agent.write", agent_id=identity, text=text, **more)


def stream(kept: KeptDaemon, identity: str, name: str) -> bytes:
    """Return all of one stream, once it has ended."""
    said = b""
    while True:
        asked = {"agent_id": identity, "stream": name, "offset": len(said), "limit": 1 << 20, "wait": 5.0}
        reply = kept.call("agent.output", **asked)
        said += base64.b64decode(reply["data"])
        if reply["ended"] and len(said) == reply["size"]:
            return said


def test_input_and_output_go_on(kept: KeptDaemon) -> None:
    identity = spawn(kept, "cat")
    for word in ("one ", "two ", "three"):
        write(kept, identity, word)
        kept.kill()
    write(kept, identity, ".", eof=True)
    assert kept.ended(identity)["exit_code"] == 0
    assert stream(kept, identity, "stdout") == b"one two three."


def test_what_is_said_while_nobody_serves_is_in_the_log(kept: KeptDaemon, moments: Moments, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    identity = spawn(kept, "sh", "-c", f"cat {go}; echo said; echo complained >&2; exit 3")
    with moments.hold("daemon.adopted") as held:
        first = held.wait()
        kept.kill(first)
        go.write_text("")
        held.wait()
    assert kept.ended(identity)["exit_code"] == 3
    assert stream(kept, identity, "stdout") == b"said\n"
    assert stream(kept, identity, "stderr") == b"complained\n"


@pytest.mark.parametrize("moment", ["agent.exited", "agent.end_stored"])
def test_an_end_is_known_whoever_saw_it(kept: KeptDaemon, moments: Moments, tmp_path: Path, moment: str) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    with moments.hold(moment) as held:
        # It ends once its spawn was answered: a daemon that stands still answers nobody.
        spawned = kept.spawn(["sh", "-c", f"cat {go}; echo out; echo err >&2; kill -ABRT $$"], tty=False)
        go.write_text("")
        kept.kill(held.wait())
    ended = kept.ended(spawned["id"])
    assert (ended["exit_code"], ended["signal"], ended["status"]) == (None, "SIGABRT", "failed")
    assert stream(kept, spawned["id"], "stderr") == b"err\n"
    process_gone(spawned["pid"])


def test_an_end_of_input_is_one_for_the_next_daemon_too(kept: KeptDaemon) -> None:
    identity = spawn(kept, "sh", "-c", "cat; echo over; sleep 600")
    write(kept, identity, eof=True)
    kept.until_said(identity, b"over\n")
    kept.kill()
    assert kept.get(identity)["status"] == "running"
    with pytest.raises(Refused, match="input has ended"):
        write(kept, identity, "more")


def test_an_end_of_input_that_was_begun_is_whole_or_not_there(kept: KeptDaemon, moments: Moments) -> None:
    """Where the daemon is killed before anybody was told, it can be asked for again."""
    identity = spawn(kept, "cat")
    asked = {"agent_id": identity, "eof": True, "request_id": "one"}
    with moments.hold("input.ended") as held:
        waiting = kept.begin("agent.write", **asked)
        kept.kill(held.wait())
    waiting.close()
    assert kept.ended(identity)["exit_code"] == 0  # it had left keeping already, so it died with the daemon
    with pytest.raises(OutcomeUnknown):
        kept.call("agent.write", **asked)


@pytest.mark.parametrize("moment", ["spawn.intent_committed", "spawn.process_committed"])
def test_before_the_word_nothing_has_run(kept: KeptDaemon, moments: Moments, tmp_path: Path, moment: str) -> None:
    asked = {"agent_id": new_id(), "command": ["touch", str(tmp_path / "ran")], "request_id": "one", "tty": False}
    with moments.hold(moment) as held:
        waiting = kept.begin("agent.spawn", **asked)
        kept.kill(held.wait())
    waiting.close()
    found = kept.get(str(asked["agent_id"]))
    assert (found["status"], found["cause"], found["tty"]) == ("failed", "never_spawned", False)
    with pytest.raises(NeverSpawned):
        kept.call("agent.spawn", **asked)
    assert not (tmp_path / "ran").exists()


def test_after_the_word_it_runs(kept: KeptDaemon, moments: Moments) -> None:
    asked = {"agent_id": new_id(), "command": ["cat"], "request_id": "one", "tty": False}
    with moments.hold("spawn.running") as held:
        waiting = kept.begin("agent.spawn", **asked)
        kept.kill(held.wait())
    waiting.close()
    again = kept.call("agent.spawn", **asked)["agent"]
    assert (again["status"], again["notice"]) == ("running", None)
    write(kept, again["id"], "hello", eof=True)
    assert stream(kept, again["id"], "stdout") == b"hello"


def test_a_stop_and_a_kill_go_on(kept: KeptDaemon) -> None:
    deaf = spawn(kept, "sh", "-c", "trap '' HUP TERM; echo ready; while :; do sleep 1; done", grace=1.0)
    kept.until_said(deaf, b"ready")
    asked = kept.begin("agent.stop", agent_id=deaf)
    while kept.get(deaf)["status"] != "stopping":
        pass
    kept.kill()
    asked.close()
    assert kept.ended(deaf)["signal"] == "SIGKILL"


def test_nothing_of_an_ended_agent_stays_in_keeping(kept: KeptDaemon) -> None:
    spawn(kept, "true")
    ended, living = spawn(kept, "cat"), spawn(kept, "cat")
    write(kept, ended, eof=True)
    kept.ended(ended)
    write(kept, living, eof=False, text="x")
    kept.call("system.shutdown", force=True, grace=0.2)
    assert "agent-" not in kept.until("kept")


def test_without_a_keeper_it_goes_on_without_its_input(person: Person, moments: Moments) -> None:
    """Alone, a killed daemon takes the writing end of stdin along; the files are the program's own."""
    session, shop = new_id(), person.workspace()
    words = ("--workdir", shop, "--session-id", session, "--http-port", 28082, "--ws-port", 28083)
    first = person.start(*words, command="descartes-daemon")
    moments.wait_for("daemon.ready")
    socket, go = person.home.daemon_socket(session), person.directory / "go"
    script = f"cat; echo over; while [ ! -e {go} ]; do sleep 0.05; done; echo late; sleep 600"
    asked: dict[str, Any] = {"command": ["sh", "-c", script], "tty": False}
    going, ended = (call(socket, "agent.spawn", one)["agent"] for one in (asked, {**asked, "command": ["cat"]}))
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    process_gone(ended["pid"])
    go.touch()
    second = person.start(*words, command="descartes-daemon")
    moments.wait_for("daemon.ready")
    assert call(socket, "agent.get", {"agent_id": going["id"]})["agent"]["status"] == "running"
    with pytest.raises(Refused, match="input has ended"):
        call(socket, "agent.write", {"agent_id": going["id"], "text": "x"})
    said = b""
    while not said.endswith(b"late\n"):
        reply = call(socket, "agent.output", {"agent_id": going["id"], "offset": len(said), "wait": 10.0})
        said += base64.b64decode(reply["data"])
    assert said == b"over\nlate\n"
    unknown = call(socket, "agent.get", {"agent_id": ended["id"]})["agent"]
    assert (unknown["status"], unknown["exit_code"], unknown["evidence"]) == ("failed", None, "exit status unknown")
    killed = call(socket, "agent.kill", {"agent_id": going["id"]})["agent"]
    assert killed["status"] == "terminated"
    process_gone(going["pid"])
    call(socket, "system.shutdown", {})
    assert second.wait(20) == 0
