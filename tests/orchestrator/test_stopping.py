from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from descartes_core.errors import AgentsAlive, Conflict, DescartesError
from descartes_core.ids import new_id
from descartes_core.session_life import State
from descartes_local.home import Home
from descartes_local.locks import lock_directory
from descartes_local.processes import Process, is_alive, process_of, send_signal, wait_for_end
from descartes_local.run_file import RunFile, read_run_files, write_run_file
from descartes_local.session_file import load, save
from descartes_orchestrator.identity import Session, session_of
from descartes_orchestrator.stopping import stop, tidy
from tests.orchestrator.supervised import Supervised
from tests.support.person import Person
from tests.support.programs import agent

LONE = Path(__file__).parent / "programs" / "lone.py"

#: How long a daemon that does not answer is waited for here.
SHORT = 0.2


@dataclass
class Lone:
    """A daemon without a supervisor."""

    home: Home
    workspace: Path
    id: str
    program: subprocess.Popen[str]
    agents: list[Process]

    @property
    def session(self) -> Session:
        return session_of(self.home, self.workspace)

    def asked(self) -> dict[str, Any]:
        assert self.program.stdout is not None
        words: dict[str, Any] = json.loads(self.program.stdout.readline())
        return words

    def is_gone(self) -> bool:
        """Say whether nothing of it is left: process, socket, run file, status."""
        record = load(self.workspace)
        doors = (self.home.run_file(self.id), self.home.daemon_socket(self.id))
        self.program.wait(10)
        return not any(path.exists() for path in doors) and record is not None and record.status is State.INACTIVE


@pytest.fixture
def lone(person: Person) -> Iterator[Callable[..., Lone]]:
    """Give a starter of lone daemons, by manner."""
    programs: list[subprocess.Popen[str]] = []

    def start(manner: str, *command: str) -> Lone:
        workspace, identity = person.workspace(), new_id()
        words = [sys.executable, str(LONE), str(person.home.path), identity, str(workspace), manner, *command]
        program = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        programs.append(program)
        assert program.stdout is not None
        lines = iter(program.stdout.readline, "ready\n")
        found = [process_of(int(line)) for line in lines]
        return Lone(person.home, workspace, identity, program, [process for process in found if process])

    yield start
    for program in programs:
        program.kill()
        program.communicate()


def test_one_that_is_asked_ends_by_itself(lone: Callable[..., Lone]) -> None:
    daemon = lone("orderly")
    assert daemon.session.status is State.ACTIVE
    assert stop(daemon.home, daemon.session, force=True, grace=2.0) == ["fixer"]
    assert {key: value for key, value in daemon.asked().items() if key != "request_id"} == {"force": True, "grace": 2.0}
    assert daemon.is_gone()
    assert daemon.program.returncode == 0


def test_a_refusal_stays_one_and_nothing_has_changed(lone: Callable[..., Lone]) -> None:
    daemon = lone("refusing")
    with pytest.raises(AgentsAlive, match="1 agent is alive: fixer"):
        stop(daemon.home, daemon.session)
    assert daemon.program.poll() is None
    assert daemon.session.status is State.ACTIVE
    assert stop(daemon.home, daemon.session, force=True) == ["fixer"]
    assert daemon.is_gone()


def test_one_that_cannot_end_in_order_is_ended_by_force_only(lone: Callable[..., Lone]) -> None:
    daemon = lone("broken")
    with pytest.raises(DescartesError, match="internal error"):
        stop(daemon.home, daemon.session)
    assert daemon.program.poll() is None
    assert stop(daemon.home, daemon.session, force=True) == []
    assert daemon.is_gone()
    assert daemon.program.returncode == -signal.SIGTERM


@pytest.mark.parametrize(("manner", "ending"), [("mute", signal.SIGTERM), ("deaf", signal.SIGKILL)])
def test_one_that_does_not_answer_is_told_then_killed(
    manner: str, ending: signal.Signals, lone: Callable[..., Lone]
) -> None:
    daemon = lone(manner)
    assert stop(daemon.home, daemon.session, grace=0.0, patience=SHORT) == []
    assert daemon.is_gone()
    assert daemon.program.returncode == -ending


def test_one_that_stands_still_is_continued_so_that_it_hears(lone: Callable[..., Lone]) -> None:
    daemon = lone("mute")
    daemon.program.send_signal(signal.SIGSTOP)
    stop(daemon.home, daemon.session, patience=SHORT)
    assert daemon.is_gone()
    assert daemon.program.returncode == -signal.SIGTERM


def test_agents_of_one_that_does_not_answer_are_not_killed_unforced(lone: Callable[..., Lone]) -> None:
    daemon = lone("mute", *agent("deaf"))
    with pytest.raises(AgentsAlive, match="does not answer, and 1 of its agents may be alive"):
        stop(daemon.home, daemon.session, patience=SHORT)
    assert all(map(is_alive, daemon.agents))
    stop(daemon.home, daemon.session, force=True, grace=0.0, patience=SHORT)
    assert daemon.is_gone()
    assert all(wait_for_end(process, 10.0) for process in daemon.agents)


def test_what_a_dead_daemon_left_is_put_right(lone: Callable[..., Lone]) -> None:
    daemon = lone("mute")
    daemon.program.kill()
    daemon.program.wait()
    assert daemon.session.status is State.INACTIVE
    stop(daemon.home, daemon.session)
    assert daemon.is_gone()


def test_an_innocent_process_is_not_signalled(lone: Callable[..., Lone]) -> None:
    daemon = lone("mute")
    run_file = daemon.home.run_file(daemon.id)
    told = json.loads(run_file.read_text())
    run_file.write_text(json.dumps({**told, "process_started": told["process_started"] - 1}))
    stop(daemon.home, daemon.session)
    assert daemon.program.poll() is None
    assert not run_file.exists()
    assert daemon.home.daemon_socket(daemon.id).exists(), "somebody listens there"
    daemon.home.daemon_socket(daemon.id).unlink()


def test_one_that_somebody_elses_daemon_serves_is_refused_and_not_written(lone: Callable[..., Lone]) -> None:
    daemon = lone("mute")
    daemon.program.kill()
    daemon.program.wait()
    lock = lock_directory(daemon.workspace / ".scud")
    assert lock is not None
    with pytest.raises(Conflict, match="locked by"):
        stop(daemon.home, daemon.session)
    record = load(daemon.workspace)
    assert record is not None
    assert record.status is State.ACTIVE
    os.close(lock)


def test_one_that_is_not_active_stays_so(person: Person) -> None:
    session = session_of(person.home, person.workspace())
    assert stop(person.home, session) == []
    assert load(session.path) is None
    save(session.path, replace(session.record, status=State.ARCHIVED))
    assert stop(person.home, session_of(person.home, session.path)) == []
    assert session_of(person.home, session.path).status is State.ARCHIVED


def test_a_copy_does_not_stop_the_original(lone: Callable[..., Lone]) -> None:
    daemon = lone("orderly")
    with pytest.raises(Conflict):
        stop(daemon.home, replace(daemon.session, rival=daemon.workspace, is_copy=True))
    assert daemon.program.poll() is None
    stop(daemon.home, daemon.session)


def test_agents_kept_for_a_daemon_that_does_not_answer_are_not_killed_unforced(supervised: Supervised) -> None:
    workspace = supervised.home.path.parent / "shop"
    (workspace / ".scud").mkdir(parents=True)
    session = session_of(supervised.home, workspace)
    speaking = supervised.session()
    mine = replace(session, record=replace(session.record, id=speaking.id))
    pid, started = map(int, speaking.say("spawn", new_id(), *agent("silent")[3:]).split())
    try:
        with pytest.raises(AgentsAlive, match="1 of its agents may be alive: use --force"):
            stop(supervised.home, mine, patience=SHORT)
        assert supervised.entry(speaking.id)["status"] == State.ACTIVE
        stop(supervised.home, mine, force=True, grace=0.0, patience=SHORT)
        assert supervised.entry(speaking.id).get("status", State.INACTIVE) == State.INACTIVE
        assert wait_for_end(Process(pid, started), 10.0)
    finally:
        send_signal(Process(pid, started), signal.SIGKILL)


def test_run_files_of_the_dead_are_removed_and_nobody_elses(home: Home) -> None:
    home.make()
    me = process_of(os.getpid())
    assert me is not None
    dead, living, held, kept = (new_id() for _ in range(4))
    for identity, started, keeper in (
        (dead, 1, "supervisor"),
        (living, me.started, "supervisor"),
        (held, 1, "supervisor"),
        (kept, 1, "systemd"),
    ):
        home.session(identity).mkdir(parents=True)
        where = ("h", "w", str(home.daemon_socket(identity)), "then", "0", keeper)
        write_run_file(home, RunFile(identity, "shop", "/", me.pid, started, new_id(), *where))
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(home.daemon_socket(identity)))
    tidy(home, {held})
    assert {run.session_id for run in read_run_files(home)} == {living, held, kept}
    assert not home.daemon_socket(dead).exists()
    assert all(home.daemon_socket(identity).exists() for identity in (living, held, kept))
