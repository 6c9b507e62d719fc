"""One supervisor a user, started by whoever comes first."""

from __future__ import annotations

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from descartes_core.errors import SupervisorUnreachable
from descartes_local.locks import lock_directory
from descartes_local.patient_lock import lock_within
from descartes_local.supervisor_client import connect, ensure
from tests.orchestrator.supervised import SUPERVISOR, Supervised
from tests.support.person import Person
from tests.support.waiting import process_gone


@pytest.fixture
def supervised(person: Person) -> Supervised:
    """Give a supervisor of speakers, not started yet."""
    return Supervised(person.home)


def test_nobody_is_started_by_asking_only(person: Person) -> None:
    assert connect(person.home) is None


def test_twenty_who_come_first_start_one(supervised: Supervised) -> None:
    with ThreadPoolExecutor(20) as pool:
        pids = list(pool.map(lambda _: supervised.call("ping")["pid"], range(20)))
    assert len(set(pids)) == 1


def test_one_that_was_killed_is_followed_by_another(supervised: Supervised) -> None:
    dead = supervised.call("ping")["pid"]
    os.kill(dead, signal.SIGKILL)
    process_gone(dead)
    assert supervised.home.supervisor_socket.is_socket()
    assert supervised.call("ping")["pid"] != dead


def test_who_comes_while_one_ends_gets_the_next(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCARTES_SUPERVISOR_LINGER", "0")
    pids = {supervised.call("ping")["pid"] for _ in range(20)}
    assert pids


def test_one_that_is_alive_but_deaf_is_named(supervised: Supervised) -> None:
    pid = supervised.call("ping")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(SupervisorUnreachable, match=f"kill -9 {pid} "):
            connect(supervised.home, patience=0.2)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_one_whose_socket_was_deleted_is_named(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCARTES_SUPERVISOR_LINGER", "1")
    pid = supervised.call("ping")["pid"]
    supervised.home.supervisor_socket.unlink()
    with pytest.raises(SupervisorUnreachable, match=f"kill -9 {pid} "):
        ensure(supervised.home, command=SUPERVISOR, patience=0.1)


def test_a_program_that_is_no_supervisor_is_told(person: Person) -> None:
    with pytest.raises(SupervisorUnreachable, match="cannot be started"):
        ensure(person.home, command=["/bin/false"])
    assert not person.home.supervisor_socket.exists()


def test_a_stale_socket_is_no_hindrance(supervised: Supervised) -> None:
    supervised.home.make()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(supervised.home.supervisor_socket))
    assert supervised.call("ping")["pid"]


def test_a_deep_home_has_its_sockets_elsewhere(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = person.directory / ("d" * 120)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(person.directory))
    supervised = Supervised(type(person.home)(deep))
    assert supervised.session().say("names") == "http:ws:rpc"
    for entry in supervised.call("list")["sessions"]:
        supervised.call("stop", {"id": entry["id"]})
    pid = supervised.call("ping")["pid"]
    process_gone(pid)


def test_a_lock_that_is_let_go_of_is_waited_for(person: Person) -> None:
    person.home.make()
    first = lock_directory(person.home.run)
    assert first is not None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lock_within, person.home.run, 10.0)
        os.close(first)
        second = waiting.result()
    assert second is not None
    os.close(second)


def test_a_lock_that_is_not_let_go_of_is_given_up(person: Person) -> None:
    person.home.make()
    first = lock_directory(person.home.run)
    assert first is not None
    assert lock_within(person.home.run, 0.05) is None
    os.close(first)
    # Who gave up does not hold it later either.
    again = lock_within(person.home.run, 10.0)
    assert again is not None
    os.close(again)
