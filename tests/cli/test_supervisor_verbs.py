"""A person looks at the supervisor, renews it, ends it with everything, and reads what it noted."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core import VERSION
from descartes_core.errors import MethodNotFound
from descartes_core.jsonrpc import call_of, parse, refusal, reply
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import process_gone


def test_without_a_supervisor_there_is_nothing_to_do(person: Person) -> None:
    assert person.run("supervisor", "status", "--json").json == {"running": False}
    assert person.run("supervisor", "upgrade", "--json").json == {"running": False}
    assert person.run("supervisor", "stop", "--json").json == {"running": False, "ended": {}}
    assert person.run("supervisor", "logs", check=False).code == 3
    assert not person.home.supervisor_socket.exists()


def test_status_tells_what_is_kept_and_by_which_code(person: Person, shop: Path) -> None:
    person.spawn(shop, agent("echoer"))
    told = person.run("supervisor", "status", "--json").json
    assert {"pid", "version", "started_at", "sessions", "kept", "restarts", "stamp", "fork_server"} <= told.keys()
    assert (told["running"], told["is_current"], told["sessions"], told["kept"]) == (True, True, 1, 1)
    said = person.run("supervisor", "status").stdout
    assert f"pid                {told['pid']}\n" in said
    assert "kept               1\n" in said


def test_upgrade_tells_what_stayed(person: Person, shop: Path) -> None:
    person.spawn(shop, agent("echoer"))
    pid = person.run("supervisor", "status", "--json").json["pid"]
    said = person.run("supervisor", "upgrade").stdout
    assert said.startswith(f"the supervisor (pid {pid}) runs {VERSION} (")
    assert said.endswith("1 session and 1 kept agent stayed as they were\n")


def test_stop_is_refused_while_agents_live_and_names_them(person: Person, shop: Path) -> None:
    person.spawn(shop, agent("echoer"), "--name", "fixer")
    bank = person.workspace("bank")
    person.run("sessions", "start", bank)
    refused = person.run("supervisor", "stop", check=False)
    assert (refused.code, "1 agent is alive: fixer of shop" in refused.stderr) == (5, True)
    told = person.run("sessions", "list", "--json").json["sessions"]
    assert {one["status"] for one in told} == {"Active"}  # also the one that would have stopped
    ended = person.run("supervisor", "stop", "--agents", "end", "--grace", "5")
    assert ended.stdout == "bank has stopped\nshop has stopped, agents ended: 1\nthe supervisor has ended\n"
    assert person.run("supervisor", "status", "--json").json == {"running": False}


def test_stop_ends_sessions_without_agents(person: Person, shop: Path) -> None:
    pid = person.run("sessions", "start", shop, "--json").json["pid"]
    assert list(person.run("supervisor", "stop", "--json").json["ended"].values()) == [[]]
    process_gone(pid)


def test_stop_with_its_agents_leaves_no_process(person: Person, shop: Path) -> None:
    one = person.spawn(shop, agent("deaf"))
    person.run("supervisor", "stop", "--agents", "end", "--grace", "0.2")
    process_gone(one["pid"])


def test_stop_ends_a_session_that_was_given_up(person: Person, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCARTES_SUPERVISOR_LINGER", "30")  # it has nothing to keep, and must not end by itself
    session = person.run("sessions", "start", shop, "--json").json
    data = person.home.session(session["id"])
    person.run("sessions", "stop", shop)
    (data / "state.db").write_bytes(b"no database, and longer than its head\n" * 10)
    assert person.run("sessions", "start", shop, check=False).code == 4
    assert person.run("supervisor", "stop").stdout.endswith("the supervisor has ended\n")


def test_logs_are_read_and_followed_over_a_new_beginning_of_the_file(person: Person, shop: Path) -> None:
    person.run("sessions", "start", shop)
    log = person.home.log / "supervisor.log"
    whole = log.read_text().splitlines()
    assert person.run("supervisor", "logs").stdout.splitlines() == whole
    assert person.run("supervisor", "logs", "-n", "1").stdout.splitlines() == whole[-1:]
    assert person.run("supervisor", "logs", "-n", "0").stdout == ""
    with person.start("supervisor", "logs", "-f", "-n", "1", stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stdout.readline().decode().strip() == whole[-1]
        # As rotation does it: the old one is moved away, and the new one has the name.
        with log.open("a") as file:
            file.write("the last of the old\n")
        fresh = log.with_name("fresh")
        fresh.write_text("the first of the new\n")
        log.rename(log.with_name("supervisor.log.1"))
        fresh.rename(log)
        assert following.stdout.readline() == b"the last of the old\n"
        assert following.stdout.readline() == b"the first of the new\n"
        with log.open("a") as file:
            file.write("half ")
            file.flush()
            file.write("and half, \x1b[31mred\n")
        assert following.stdout.readline() == b"half and half, \\x1b[31mred\n"
        following.terminate()
    assert person.run("supervisor", "logs", "-n", "2").stdout.splitlines()[-1] == "half and half, \\x1b[31mred"


@pytest.fixture
def old_supervisor(person: Person) -> Iterator[None]:
    """Give a supervisor of a version that knew no renewal."""
    person.home.make()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(person.home.supervisor_socket))
        listener.listen()
        thread = threading.Thread(target=_answer, args=(listener,), daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    person.home.supervisor_socket.unlink()


def _answer(listener: socket.socket) -> None:
    told = {"pid": 1, "version": "0.0.1"}
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                call = call_of(parse(line))
                known = {"ping": told, "status": {**told, "sessions": 0, "kept": 0, "restarts": 0}}
                unknown = refusal(call.id, MethodNotFound(f"the supervisor knows no {call.method!r}"))
                connection.sendall(reply(call.id, known[call.method]) if call.method in known else unknown)


@pytest.mark.usefixtures("old_supervisor")
def test_a_supervisor_that_is_too_old_to_renew_itself_says_what_to_do(person: Person) -> None:
    refused = person.run("supervisor", "upgrade", check=False)
    assert (refused.code, "descartes supervisor stop" in refused.stderr) == (4, True)
    told = person.run("supervisor", "status")
    assert "0.0.1" in told.stdout
    assert "descartes supervisor upgrade" in told.stderr
