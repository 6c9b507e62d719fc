"""What the tests stand on is true itself."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_local.processes import environ_of
from tests.support import leftovers
from tests.support.moments import Moments
from tests.support.person import Person
from tests.support.programs import agent
from tests.support.waiting import process_gone, wait_until


class InTerminal:
    """A program in a pseudo-terminal of its own."""

    def __init__(self, command: list[str]) -> None:
        self.master, slave = os.openpty()
        self.pid = os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
                (os.POSIX_SPAWN_CLOSE, self.master),
                (os.POSIX_SPAWN_CLOSE, slave),
            ],
            setsid=True,
        )
        self._slave: int | None = slave
        self.said = b""

    def read_until(self, text: bytes) -> bytes:
        """Read until this was said."""
        while text not in self.said:
            self.said += os.read(self.master, 65536)
        return self.said

    def read_all(self) -> bytes:
        """Read until nobody has the terminal open any more."""
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None
        with contextlib.suppress(OSError):
            while piece := os.read(self.master, 65536):
                self.said += piece
        return self.said

    def end(self) -> int:
        """Return the exit code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        """Give the terminal back."""
        if self._slave is not None:
            os.close(self._slave)
        os.close(self.master)


@contextlib.contextmanager
def in_terminal(*words: object) -> Iterator[InTerminal]:
    program = InTerminal(agent(str(words[0]), *words[1:]))
    try:
        yield program
    finally:
        program.close()


def test_a_deaf_agent_hears_only_kill() -> None:
    with in_terminal("deaf") as program:
        program.read_until(b"ready")
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            os.kill(program.pid, number)
        assert os.waitpid(program.pid, os.WNOHANG) == (0, 0)
        os.kill(program.pid, signal.SIGKILL)
        assert program.end() == -signal.SIGKILL


@pytest.mark.parametrize("options", [(), ("--deaf", "--closed"), ("--cleared",)])
def test_a_forker_names_its_whole_tree(options: tuple[str, ...]) -> None:
    with in_terminal("forker", *options, "--code", 4) as program:
        lines = program.read_until(b"ready").decode().splitlines()
        assert program.end() == 4
        tree = {kind: int(pid) for kind, pid in (line.split() for line in lines) if kind != "ready"}
        try:
            assert set(tree) == {"child", "setsid", "double"}
            assert os.getsid(tree["setsid"]) == tree["setsid"]
            environ = environ_of(tree["double"])
            assert (b"PATH=" in environ) is ("--cleared" not in options)
        finally:
            for pid in tree.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for pid in tree.values():
            process_gone(pid)


def test_a_loud_agent_knows_what_its_terminal_shows(tmp_path: Path) -> None:
    with in_terminal("loud", 3000, "--checksum", tmp_path / "sum", "--code", 7) as program:
        said = program.read_all()
        assert program.end() == 7
    told = json.loads((tmp_path / "sum").read_text())
    assert told == {"bytes": len(said), "sha256": hashlib.sha256(said).hexdigest()}


def test_a_closer_is_heard_after_its_end() -> None:
    with in_terminal("closer") as program:
        program.read_until(b"after the end")
        assert program.end() == 5
        assert program.said.split() == b"before again after the end".split()


def test_an_echoer_ends_as_it_is_told() -> None:
    with in_terminal("echoer") as program:
        program.read_until(b"ready")
        os.write(program.master, b"good day\n")
        program.read_until(b"heard: good day")
        os.write(program.master, b"exit 9\n")
        assert program.end() == 9


def test_a_moment_is_waited_for_and_held(tmp_path: Path) -> None:
    moments = Moments(tmp_path / "p")
    code = "from descartes_local.probe import reached; reached('first'); reached('second'); print('through')"
    environ = {**os.environ, "DESCARTES_PROBE": str(moments.path)}
    try:
        with (
            moments.hold("second") as second,
            subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE) as program,
        ):
            assert moments.wait_for("first") == program.pid
            assert second.wait() == program.pid
            assert program.poll() is None
            second.release()
            assert program.communicate()[0] == b"through\n"
        with pytest.raises(AssertionError, match="third was not reached"):
            moments.wait_for("third", 0.01)
    finally:
        moments.close()


def test_the_end_of_a_process_is_announced() -> None:
    with subprocess.Popen(agent("silent")) as program:
        with pytest.raises(AssertionError, match="still there"):
            process_gone(program.pid, 0.01)
        program.kill()
        process_gone(program.pid)


def test_a_fact_is_waited_for() -> None:
    seen = threading.Event()
    timer = threading.Timer(0.02, seen.set)
    timer.start()
    assert wait_until(seen.is_set, "the event is set")
    timer.join()
    with pytest.raises(AssertionError, match="pigs fly"):
        wait_until(lambda: False, "pigs fly", 0.02)


def test_a_process_of_a_home_is_found_and_ended(person: Person) -> None:
    with subprocess.Popen(agent("deaf"), stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        program.stdout.readline()
        assert [process.pid for process in leftovers.processes_of(person.directory)] == [program.pid]
        assert [process.pid for process in leftovers.wait_and_kill(person.directory, 0.0)] == [program.pid]
    assert not leftovers.processes_of(person.directory)


def test_an_open_descriptor_is_seen() -> None:
    before = leftovers.open_descriptors()
    with socket.socket() as left:
        assert set(leftovers.open_descriptors()) - set(before) == {left.fileno()}
    assert leftovers.open_descriptors() == before


@pytest.mark.supervisor("shared")
@pytest.mark.parametrize("turn", [1, 2])
def test_who_shares_a_supervisor_finds_it_and_nothing_else(person: Person, turn: int) -> None:
    assert person.run("supervisor", "status").code == 0
    assert person.run("ps", "-a", "--json").json == {"sessions": [], "agents": [], "unattributed": []}
    assert not (person.directory / "projects").exists()
    assert list((person.home.path / "sessions").iterdir()) == []
    person.spawn(person.workspace(), ["sleep", "600"])
