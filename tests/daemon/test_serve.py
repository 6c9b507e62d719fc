"""A daemon begins, serves and ends in order, alone or under who started it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from descartes_core.ids import new_id
from descartes_local.processes import Process, is_alive, process_of
from descartes_local.rpc_client import Connection, call
from descartes_local.run_file import read_run_files
from tests.support.cgroups import without_groups
from tests.support.kept_daemon import kept_daemon
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import process_gone, wait_until


def free_ports() -> list[int]:
    """Return two ports that nobody has now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Lone:
    """A daemon that nobody keeps."""

    def __init__(self, person: Person, *words: object, workspace: Path | None = None) -> None:
        self.person, self.id = person, new_id()
        self.workspace = workspace or person.workspace()
        self.ports = free_ports()
        options = ["--workdir", self.workspace, "--session-id", self.id, "--http-port", self.ports[0]]
        self.process = person.start(
            *options, "--ws-port", self.ports[1], *words, command="descartes-daemon", stderr=subprocess.PIPE
        )
        self.socket = person.home.daemon_socket(self.id)

    def call(self, method: str, **params: Any) -> Any:
        return call(self.socket, method, params)

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.workspace / ".scud/session.json").read_text())
        return found

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it said."""
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said.decode()


@contextmanager
def lone(person: Person, moments: Moments, **more: Any) -> Iterator[Lone]:
    daemon = Lone(person, **more)
    moments.wait_for("daemon.ready")
    try:
        yield daemon
    finally:
        daemon.process.terminate()
        daemon.process.communicate(timeout=30)


def test_alone_it_binds_serves_and_leaves_nothing(person: Person, moments: Moments) -> None:
    with lone(person, moments) as daemon:
        (run,) = read_run_files(person.home)
        assert (run.pid, run.socket, run.is_alive) == (daemon.process.pid, str(daemon.socket), True)
        assert run.http_endpoint == f"http://127.0.0.1:{daemon.ports[0]}"
        assert (daemon.record["status"], daemon.record["daemon_info"]["pid"]) == ("Active", daemon.process.pid)
        assert daemon.socket.stat().st_mode & 0o777 == 0o600
        daemon.call("system.shutdown")
        assert daemon.ended()[0] == 0
        assert (daemon.record["status"], daemon.record["daemon_info"]) == ("Inactive", None)
        assert read_run_files(person.home) == []
        assert not daemon.socket.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_first_the_agents_that_would_die_with_it(
    person: Person, moments: Moments, number: signal.Signals
) -> None:
    with lone(person, moments) as daemon:
        spawned = daemon.call("agent.spawn", command=agent("forker", "--deaf"), grace=0.3)["agent"]
        assert spawned["notice"] == "not in keeping: ends with its daemon"
        tree = tree_of(daemon, spawned["id"])
        daemon.process.send_signal(number)
        assert daemon.ended()[0] == 0
        assert [kind for kind, process in tree.items() if is_alive(process)] == []
        assert daemon.record["status"] == "Inactive"


def tree_of(daemon: Lone, identity: str) -> dict[str, Process]:
    log = daemon.person.home.session(daemon.id) / "agents" / identity / "output.log"
    wait_until(lambda: b"ready" in log.read_bytes(), "the forker stands")
    lines = [line.split() for line in log.read_text().splitlines()]
    return {kind: process for kind, pid in lines if (process := process_of(int(pid))) is not None}


def test_a_signal_while_it_begins_ends_it_in_order(person: Person, moments: Moments) -> None:
    """It once died of it, and session.json told of a session that is starting for ever."""
    with moments.hold("daemon.adopted") as held:
        daemon = Lone(person)
        os.kill(held.wait(), signal.SIGTERM)
    assert daemon.ended()[0] == 0
    assert daemon.record["status"] == "Inactive"
    assert read_run_files(person.home) == []


def test_a_second_daemon_of_a_workspace_is_refused(person: Person, moments: Moments) -> None:
    with lone(person, moments) as daemon:
        second = Lone(person, workspace=daemon.workspace)
        code, said = second.ended()
        assert code == 4
        assert "another daemon serves" in said
        assert daemon.call("system.health")["status"] == "healthy"
        assert daemon.record["id"] == daemon.id


def test_a_port_that_a_stranger_has_is_named(person: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        daemon = Lone(person, "--http-port", port)
        code, said = daemon.ended()
    assert (code, said.count("\n")) == (4, 1)
    assert f"127.0.0.1:{port}" in said
    assert not (daemon.workspace / ".scud/session.json").exists()
    assert not daemon.socket.exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--workdir", "/no/such/place"], 3),
        (["--workdir", "/etc/passwd"], 3),
        (["--http-port", "0"], 2),
        (["--http-port", "nonsense"], 2),
        (["--config", "/no/such/file"], 2),
    ],
)
def test_what_is_wrong_is_said_in_a_line(person: Person, words: list[str], code: int) -> None:
    daemon = Lone(person, *words)
    ended, said = daemon.ended()
    assert ended == code
    assert "Traceback" not in said
    assert words[1] in said


def test_a_torn_session_file_is_set_aside_and_told(person: Person, moments: Moments) -> None:
    workspace = person.workspace()
    (workspace / ".scud/session.json").write_text('{"id": "half')
    with lone(person, moments, workspace=workspace) as daemon:
        (aside,) = (workspace / ".scud").glob("session.json.torn-*")
        assert aside.read_text() == '{"id": "half'
        (notice,) = daemon.call("session.info")["session"]["notices"]
        assert aside.name in notice


def test_a_deep_home_is_served_from_a_short_socket(
    person: Person, moments: Moments, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = person.directory / ("deep" * 30)
    monkeypatch.setenv("DESCARTES_HOME", str(deep))
    workspace = person.workspace()
    process = person.start("--workdir", workspace, "-w", 28099, "--http-port", 28098, command="descartes-daemon")
    moments.wait_for("daemon.ready")
    (run_file,) = (deep / "run").glob("*.json")
    found = json.loads(run_file.read_text())
    assert len(found["socket"]) < 100
    assert call(found["socket"], "system.health")["status"] == "healthy"
    process.terminate()
    assert process.wait(20) == 0
    assert not Path(found["socket"]).exists()
    Path(found["socket"]).parent.rmdir()


def test_hup_opens_the_log_anew(person: Person) -> None:
    with kept_daemon(person) as kept:
        log = person.home.session(kept.id) / "daemon.log"
        os.kill(kept.pid, signal.SIGHUP)
        wait_until(log.exists, "the log is there")
        kept.spawn(["true"], name="fixer")
        wait_until(lambda: "fixer" in log.read_text(), "the log goes on")


def test_an_answer_to_a_shutdown_comes_before_the_end(person: Person, moments: Moments) -> None:
    with lone(person, moments) as daemon, Connection(daemon.socket) as connection:
        assert connection.call("system.shutdown", {"request_id": "one"}) == {"ended": []}
        assert connection.socket.recv(1) == b""
        assert daemon.ended()[0] == 0


def test_what_nobody_can_attribute_is_shown_and_ends_with_the_session(person: Person, moments: Moments) -> None:
    without_groups(person.home)
    with lone(person, moments) as daemon:
        forker = agent("forker", "--deaf", "--cleared", "--closed", "--code", "0")
        spawned = daemon.call("agent.spawn", command=forker, grace=0.1)["agent"]
        tree = tree_of(daemon, spawned["id"])
        daemon.call("agent.wait", agent_id=spawned["id"], timeout=10.0)
        wait_until(lambda: not is_alive(tree["child"]), "what stayed in its session is ended")
        shown = daemon.call("agent.list")["unattributed"]
        assert {one["pid"] for one in shown} == {tree["setsid"].pid, tree["double"].pid}
        assert all("forker.py" in one["command"] for one in shown)
        daemon.call("system.shutdown", force=True)
        assert daemon.ended()[0] == 0
        for kind in ("setsid", "double"):
            process_gone(tree[kind].pid)


def test_an_adopting_daemon_shows_what_the_last_one_left_with_its_keeper(person: Person) -> None:
    without_groups(person.home)
    with kept_daemon(person) as kept:
        forker = agent("forker", "--deaf", "--cleared", "--closed", "--code", "0")
        spawned = kept.spawn(forker, grace=0.1)
        said = kept.until_said(spawned["id"], b"ready").decode()
        tree = {kind: process_of(int(pid)) for kind, pid in map(str.split, said.splitlines())}
        kept.ended(spawned["id"])
        left = {process.pid for kind in ("setsid", "double") if (process := tree[kind])}
        assert {one["pid"] for one in kept.call("agent.list")["unattributed"]} == left
        kept.kill()
        assert {one["pid"] for one in kept.call("agent.list")["unattributed"]} == left
        kept.call("system.shutdown", force=True)
        kept.until("kept")
        for pid in left:
            process_gone(pid)
