"""Daemon, supervisor and fork server are killed while there is no room, or no descriptor: nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from descartes_core.errors import DescartesError
from descartes_local.home import Home
from descartes_local.processes import stat_of
from descartes_local.rpc_client import Connection
from descartes_local.run_file import read_run_files
from tests.support.disk import Disk, small_disk
from tests.support.person import Person
from tests.support.programs import agent, installed
from tests.support.serving import only_run, said
from tests.support.storm import ask
from tests.support.waiting import process_gone, wait_until

LIMIT, SPARE = 72, 16
PATIENCE = 30.0


@pytest.fixture
def disk(person: Person) -> Iterator[Disk]:
    if os.getuid() != 0:
        pytest.skip("only root mounts")
    with small_disk(person) as disk:
        yield disk


def ask_supervisor(home: Home) -> dict[str, Any]:
    """Return its status, or nothing while there is none."""
    try:
        with Connection(home.supervisor_socket, timeout=PATIENCE) as connection:
            return {**connection.call("status"), "listed": connection.call("list")["sessions"]}
    except DescartesError:
        return {}


def kill(pid: int | None) -> None:
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        process_gone(pid)


def served(home: Home, kept: int) -> dict[str, Any]:
    """Wait until a living supervisor keeps this much for a daemon that is known to it; return its status."""

    def look() -> dict[str, Any]:
        told = ask_supervisor(home)
        runs = [run for run in read_run_files(home) if run.is_alive]
        listed = [(one["status"], one["pid"], one["kept"]) for one in told.get("listed", [])]
        return told if listed == [("Active", run.pid, kept) for run in runs] != [] else {}

    return wait_until(look, f"{kept} agents are kept", PATIENCE)


def served_or_given_up(home: Home, kept: int) -> None:
    """Wait until a daemon has found room to begin, or it is told that none can; what it had stays."""

    def look() -> dict[str, Any] | None:
        listed = ask_supervisor(home).get("listed", [])
        return next((one for one in listed if one["status"] in ("Active", "Error")), None)

    found = wait_until(look, "it is known whether a daemon can begin", PATIENCE)
    assert found["kept"] == kept
    assert found["status"] == "Active" or "its disk is full" in found["error"], found


def kill_each(home: Home, kept: int) -> None:
    """Kill all that can be replaced, one after the other."""
    kill(served(home, kept)["fork_server"]["pid"])
    kill(only_run(home).pid)
    kill(served(home, kept)["pid"])
    served(home, kept)
    kill(only_run(home).pid)
    served(home, kept)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_full_disk_costs_nobody_anything_whoever_is_killed(disk: Disk) -> None:
    """A flood waits for room, and so may a daemon; then all goes on as if nothing had been."""
    disk.run("sessions", "start", disk.shop)
    told = disk.person.directory / "told"
    loud = agent("loud", 60_000, "--width", 98, "--checksum", told, "--code", 9)
    quiet, flood = disk.json("spawn", disk.shop, "--", *agent("echoer")), disk.json("spawn", disk.shop, "--", *loud)
    wait_until(lambda: is_told(disk, flood["id"]), "the disk is full", PATIENCE)
    filler = disk.fill(0)
    kill(served(disk.home, 2)["fork_server"]["pid"])
    kill(served(disk.home, 2)["pid"])
    served(disk.home, 2)
    kill(only_run(disk.home).pid)
    served_or_given_up(disk.home, 2)
    for one in (flood, quiet):
        assert (found := stat_of(one["pid"])) is not None
        assert not found.is_dead
    filler.unlink()
    disk.remount("size=64m")
    disk.run("sessions", "start", disk.shop)
    assert disk.run("wait", flood["id"], check=False).code == 9
    right = json.loads(told.read_text())
    (one,) = [one for one in disk.json("ps", "-a")["agents"] if one["id"] == flood["id"]]
    assert one["output_bytes"] == right["bytes"]
    disk.run("send", "--enter", quiet["id"], "hello")
    assert said(disk.home, quiet["id"], "heard: hello").count("heard: hello") == 1
    disk.run("send", "--enter", quiet["id"], "exit 4")
    assert disk.run("wait", quiet["id"], check=False).code == 4


def is_told(disk: Disk, identity: str) -> bool:
    return any(one["id"] == identity and one["notice"] for one in disk.json("ps")["agents"])


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_at_the_limit_of_descriptors_nobody_is_lost_whoever_is_killed(person: Person) -> None:
    shop = person.workspace()
    person.home.make()
    (person.home.path / "config.toml").write_text(f"[agents]\nspare_descriptors = {SPARE}\n")
    start = f"ulimit -n {LIMIT}; exec {installed('descartes')} sessions start {shop}"
    subprocess.run(["sh", "-c", start], check=True, timeout=40, cwd=person.directory, capture_output=True)
    started: list[dict[str, Any]] = []
    while (ran := person.run("spawn", shop, "--json", "--", *agent("echoer"), check=False)).code == 0:
        started.append(ran.json)
        assert len(started) < LIMIT
    assert len(started) >= 3
    kill_each(person.home, len(started))
    for number, one in enumerate(started):
        asked = {"agent_id": one["id"]}
        ask(only_run(person.home).socket, "agent.write", {**asked, "text": f"exit {number}\n"})
        ask(only_run(person.home).socket, "agent.wait", {**asked, "timeout": PATIENCE})
    ended = {one["id"]: one["exit_code"] for one in person.run("ps", "-a", "--json").json["agents"]}
    assert ended == {one["id"]: number for number, one in enumerate(started)}
