"""A daemon that has no descriptor left lives on, and goes on once there are some."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
from pathlib import Path

import pytest
from websockets.sync.client import connect

from descartes_local.rpc_client import call
from descartes_local.run_file import RunFile, read_run_files
from tests.support.keepers import kill_supervisor, next_supervisor
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import wait_until


@pytest.fixture
def run(person: Person) -> RunFile:
    """Give a daemon with one agent."""
    person.spawn(person.workspace("shop"), agent("echoer"), "--name", "echoer")
    (found,) = read_run_files(person.home)
    return found


def descriptors_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_of(pid: int) -> int:
    """Return what a process accounts for itself alone, in bytes."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith(("Pss:",)))


@pytest.mark.parametrize("door", ["unix", "http"])
def test_without_descriptors_a_daemon_waits_and_goes_on(person: Person, run: RunFile, door: str) -> None:
    """asyncio stops accepting for a second each time, and takes up again by itself."""
    before = resource.prlimit(run.pid, resource.RLIMIT_NOFILE)
    address = run.socket if door == "unix" else ("127.0.0.1", int(run.http_endpoint.rpartition(":")[2]))
    family = socket.AF_UNIX if door == "unix" else socket.AF_INET
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(socket.socket(socket.AF_UNIX))
        held.connect(run.socket)
        resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (descriptors_of(run.pid) + 2, before[1]))
        for _ in range(30):
            stack.enter_context(socket.socket(family)).connect(address)
        log = person.home.session(run.session_id) / "daemon.log"
        wait_until(lambda: "out of system resource" in log.read_text(), "the shortage is in the log")
        held.settimeout(20)
        held.sendall(b'{"jsonrpc": "2.0", "id": 1, "method": "system.health"}\n')
        assert json.loads(held.makefile("rb").readline())["result"]["status"] == "healthy"
        resource.prlimit(run.pid, resource.RLIMIT_NOFILE, before)
        assert call(run.socket, "system.health")["pid"] == run.pid
    person.run("send", "echoer", "still here", "--enter")
    wait_until(lambda: "heard: still here" in person.run("logs", "echoer").stdout, "the agent answers")
    assert [one.pid for one in read_run_files(person.home)] == [run.pid]


def test_a_supervisor_without_room_starts_no_agent_that_would_die_with_its_daemon(person: Person, run: RunFile) -> None:
    """It is told wherever one looks, nobody else is harmed, and over as soon as there is room."""
    pid, mark = person.run("supervisor", "status", "--json").json["pid"], person.directory / "ran"
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors_of(pid) + 5, before[1]))
    words = ("spawn", person.directory / "projects/shop", "--name", "second", "--", "touch", mark)
    refused = person.run(*words, check=False)
    assert (refused.code, refused.stderr.count("\n")) == (4, 1), str(refused)
    assert "descriptors are free: end some agents" in refused.stderr
    assert person.run("supervisor", "status", "--json").json["not_keeping"] == ["shop"]
    ran = person.run("doctor", check=False)
    assert (ran.code, "keeps no further agent" in ran.stdout) == (1, True), str(ran)
    assert "of the supervisor's" in call(run.socket, "session.info")["session"]["notices"][0]
    os.kill(run.pid, signal.SIGKILL)
    person.run("send", "echoer", "still here", "--enter")
    wait_until(lambda: "heard: still here" in person.run("logs", "echoer").stdout, "the agent answers")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert not mark.exists()
    assert person.run(*words[:2], "--wait", *words[4:]).code == 0
    assert mark.exists()
    assert person.run("supervisor", "status", "--json").json["not_keeping"] == []
    (second,) = [one for one in person.run("ps", "-a", "--json").json["agents"] if one["name"] == "second"]
    assert second["status"] == "failed"


def test_a_daemon_without_descriptors_hands_itself_over_once_there_are_some(person: Person, run: RunFile) -> None:
    before = resource.prlimit(run.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    killed = kill_supervisor(person.home)
    log = person.home.session(run.session_id) / "daemon.log"
    wait_until(lambda: "Too many open files" in log.read_text(), "it cannot even ask")
    resource.prlimit(run.pid, resource.RLIMIT_NOFILE, before)
    next_supervisor(person.home, killed)
    os.kill(run.pid, signal.SIGKILL)
    person.run("send", "echoer", "still here", "--enter")
    wait_until(lambda: "heard: still here" in person.run("logs", "echoer").stdout, "the agent answers")


def test_how_an_adopted_agent_ended_is_known_also_where_nobody_can_be_asked_at_once(
    person: Person, run: RunFile
) -> None:
    os.kill(run.pid, signal.SIGKILL)
    (one,) = person.run("ps", "--json").json["agents"]
    (next_run,) = read_run_files(person.home)
    before = resource.prlimit(next_run.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(next_run.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    os.kill(one["pid"], signal.SIGUSR1)
    log = person.home.session(run.session_id) / "daemon.log"
    wait_until(lambda: f"how agent {one['id']} ended cannot be asked now" in log.read_text(), "it cannot be asked")
    resource.prlimit(next_run.pid, resource.RLIMIT_NOFILE, before)
    told = call(next_run.socket, "agent.wait", {"agent_id": one["id"], "timeout": 20.0})
    assert told["agent"]["signal"] == "SIGUSR1"


def test_a_hundred_listeners_that_come_and_go_leave_nothing(person: Person, run: RunFile) -> None:
    headers = {"Authorization": f"Bearer {(person.home.path / 'token').read_text().strip()}"}

    def listen(times: int) -> None:
        for number in range(times):
            with connect(f"{run.ws_endpoint}/events", additional_headers=headers) as listener:
                listener.send('{"type": "Subscribe", "payload": {"since": 0}}')
                assert "SubscriptionConfirmed" in str(listener.recv(timeout=20))
                if number % 2:
                    listener.socket.shutdown(socket.SHUT_RDWR)  # without a word

    def settled() -> bool:
        return call(run.socket, "system.stats")["subscriptions"] == 0

    listen(10)
    wait_until(settled, "the first have gone")
    descriptors, memory = descriptors_of(run.pid), memory_of(run.pid)
    listen(100)
    wait_until(settled, "all have gone")
    assert descriptors_of(run.pid) <= descriptors + 4
    assert memory_of(run.pid) <= memory + 10 * 1024 * 1024


def test_connections_that_say_nothing_cost_a_daemon_no_time(person: Person, run: RunFile) -> None:
    def used() -> int:
        fields = Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(run.socket)
        assert call(run.socket, "system.stats")["connections"]["unix"] >= 300
        before = used()
        ours, theirs = socket.socketpair()
        with ours, theirs, contextlib.suppress(TimeoutError):
            ours.settimeout(2.0)
            ours.recv(1)
        assert used() - before <= 5
