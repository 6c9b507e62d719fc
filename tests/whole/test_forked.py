"""Daemons are forked: quick, small, and as if each had been started alone."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from descartes_core.ids import new_id
from descartes_local.processes import Stat, command_of, environ_of, process_of, send_signal, stat_of
from descartes_local.run_file import read_run_files
from descartes_local.supervisor_client import ensure
from tests.support.installation import Installation
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import process_gone, wait_until
from tests.support.weight import MEBIBYTE, Weight, weight_of

Told = dict[str, Any]


def start(person: Person, name: str) -> int:
    """Start a session and return its daemon's pid."""
    told: Told = person.run("sessions", "start", person.workspace(name), "--json").json
    return int(told["pid"])


def pid_of(person: Person, name: str) -> int:
    """Return the pid of a session's daemon that serves; 0 where none does."""
    return next((run.pid for run in read_run_files(person.home) if run.name == name and run.is_alive), 0)


def supervisor(person: Person) -> Told:
    """Return what the supervisor tells."""
    told: Told = person.run("supervisor", "status", "--json").json
    return told


def forks(person: Person) -> int:
    """Return the pid of the fork server once it is ready."""
    found: Told = wait_until(lambda: ready(supervisor(person)["fork_server"]), "the fork server is ready")
    return int(found["pid"])


def ready(told: Told) -> Told | None:
    """Return what is told of a fork server that has loaded its code."""
    return told if told["stamp"] is not None else None


def log(person: Person) -> str:
    """Return what the supervisor has written."""
    return (person.home.log / "supervisor.log").read_text()


def look(pid: int) -> Stat:
    """Return what is known of a living process."""
    found = stat_of(pid)
    assert found is not None
    return found


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal, and wait for the end where it ends something."""
    process = process_of(pid)
    assert process is not None
    send_signal(process, number)
    if number == signal.SIGKILL:
        process_gone(pid)


def open_in(pid: int) -> set[str]:
    """Return what a process has open that others could have open too."""
    place = Path(f"/proc/{pid}/fd")
    found = {os.readlink(entry) for entry in place.iterdir()}
    return {name for name in found if not name.startswith("anon_inode:") and name != "/dev/null"}


def test_a_daemon_is_a_child_of_the_supervisor_and_leads_a_session_of_its_own(person: Person) -> None:
    pids = [start(person, name) for name in ("one", "two")]
    for pid in pids:
        assert look(pid).parent == supervisor(person)["pid"]
        assert look(pid).session == os.getpgid(pid) == pid
    assert "by exec" not in log(person)


def test_in_lists_of_processes_each_is_told_apart(person: Person) -> None:
    """And each tells its environment: the title may not lie over it."""
    pid = start(person, "shop with a name")
    told = supervisor(person)
    titles = {told["pid"]: "descartes-supervisor", told["fork_server"]["pid"]: "descartes-forkserver"}
    for process, title in {**titles, pid: "descartes-daemon shop with a name"}.items():
        assert command_of(process) == title
        assert f"DESCARTES_HOME={person.home.path}".encode() in environ_of(process).split(b"\0")


def test_a_daemon_bears_the_name_that_its_session_has_now(person: Person) -> None:
    pid = start(person, "shop")
    person.run("sessions", "rename", "shop", "storefront")
    wait_until(lambda: command_of(pid) == "descartes-daemon storefront", "the new name is shown")


def test_a_daemon_holds_no_descriptor_of_another_session(person: Person) -> None:
    pids = [start(person, name) for name in ("one", "two", "three")]
    person.spawn(person.directory / "projects" / "two", agent("silent"))
    kill(pids[1])
    pids[1] = wait_until(lambda: pid_of(person, "two"), "the next daemon serves")
    opened = [open_in(pid) for pid in pids]
    for number, mine in enumerate(opened):
        others = set().union(*(opened[:number] + opened[number + 1 :]))
        assert mine & others == set()
    held = {name for pid in (supervisor(person)["pid"],) for name in open_in(pid)}
    assert open_in(forks(person)) & held <= {str(person.home.log / "supervisor.log")}


def test_a_daemon_has_its_callers_settings_and_those_of_no_other(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come with each request: the fork server's own are another caller's."""
    monkeypatch.setenv("DESCARTES_LOG__FORMAT", "json")
    start(person, "for programs")
    monkeypatch.delenv("DESCARTES_LOG__FORMAT")
    start(person, "for people")
    names = {run.session_id: run.name for run in read_run_files(person.home)}
    for name in names.values():
        person.run("sessions", "restart", person.directory / "projects" / name)  # the daemon's last word is in its log
    logs = {path.parent.name: path.read_text() for path in person.home.path.glob("sessions/*/daemon.log")}
    is_json = {names[session]: text.startswith("{") for session, text in logs.items()}
    assert is_json == {"for programs": True, "for people": False}


def test_a_fork_server_that_is_killed_is_replaced_and_nobody_notices(person: Person) -> None:
    one = start(person, "one")
    before = forks(person)
    kill(before)
    assert forks(person) != before
    start(person, "two")
    assert process_of(one) is not None
    assert "by exec" not in log(person)


def test_a_fork_server_that_is_killed_in_the_middle_of_a_request_is_asked_no_more(
    person: Person, moments: Moments
) -> None:
    start(person, "one")
    moments.wait_for("fork_server.asked")
    with moments.hold("fork_server.asked") as held, ThreadPoolExecutor(1) as pool:
        starting = pool.submit(start, person, "two")
        pid = held.wait()
        kill(pid)
        held.release()
        assert process_of(starting.result()) is not None
    assert "forked no daemon" in log(person)


def test_a_fork_server_that_stands_still_is_not_waited_for(person: Person) -> None:
    """The daemon is started by exec, and the next one is forked by the next fork server."""
    start(person, "one")
    before = forks(person)
    kill(before, signal.SIGSTOP)
    pid = start(person, "two")
    assert command_of(pid) == "descartes-daemon two"
    assert f"DESCARTES_HOME={person.home.path}".encode() in environ_of(pid).split(b"\0")
    assert "descartes-daemon two is started by exec: the fork server did not answer in time" in log(person)
    assert forks(person) != before
    start(person, "three")
    assert "descartes-daemon three is started by exec" not in log(person)


def test_a_session_that_is_stopped_takes_no_fork_server_along(person: Person) -> None:
    """The supervisor ends what a session's agents left with it: all its children but its own."""
    start(person, "one")
    before = forks(person)
    shop = person.directory / "projects" / "one"
    person.spawn(shop, agent("forker"))
    person.run("sessions", "stop", "--force", shop)
    assert forks(person) == before


def test_many_starts_leave_nothing_behind(person: Person) -> None:
    """Memory, descriptors, threads and dead children of supervisor and fork server are as before."""
    session = {"id": new_id(), "name": "shop", "path": str(person.workspace("shop"))}

    with ensure(person.home) as connection:

        def again(times: int) -> list[Weight]:
            for _ in range(times):
                connection.call("start", session)
                connection.call("stop", {"id": session["id"]})
            return [weight_of(pid) for pid in (supervisor(person)["pid"], forks(person))]

        before, after = again(3), again(15)
    for was, became in zip(before, after, strict=True):
        assert (became.descriptors, became.threads, became.zombies) == (was.descriptors, 1, 0)
        assert became.memory - was.memory < 4 * MEBIBYTE


@pytest.fixture
def installed(person: Person) -> Installation:
    """Give an installation whose code may change."""
    return Installation.make(person.directory / "installed")


def test_changed_code_has_another_fork_server_and_stays_when_it_works(person: Person, installed: Installation) -> None:
    installed.run("sessions", "start", person.workspace("one"))
    before = installed.run("supervisor", "status")["fork_server"]["pid"]
    with installed.file("descartes_daemon/sockets.py").open("a") as file:
        file.write("# changed\n")
    installed.run("sessions", "start", person.workspace("two"))
    after = installed.run("supervisor", "status")["fork_server"]["pid"]
    assert after not in (None, before)
    wait_until(lambda: process_of(before) is None, "the older one is gone")


def test_code_that_does_not_work_leaves_sessions_to_the_older_one_and_that_is_told(
    person: Person, installed: Installation
) -> None:
    """An upgrade broke the daemon: its next start fails, and is done once more by what worked."""
    installed.run("sessions", "start", person.workspace("one"))
    source = installed.file("descartes_daemon/main.py")
    works = source.read_text()
    source.write_text(re.sub(r"\ndef main\(.*\n", r"\g<0>    raise RuntimeError('broken')\n", works))
    told = installed.run("sessions", "start", person.workspace("two"))
    assert process_of(told["pid"]) is not None
    assert "descartes-daemon two is started once more by older code" in log(person)
    source.write_text(f"{works}\n")
    installed.run("sessions", "start", person.workspace("three"))
    assert log(person).count("once more by older code") == 1
