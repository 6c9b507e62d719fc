"""The fork server is small and alone when it forks, and what it forks is a daemon of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descartes_local.code_stamp import code_stamp
from descartes_orchestrator.fork_server.wire import (
    MOST_BYTES,
    Garbled,
    Request,
    receive_answer,
    receive_request,
    send_request,
)
from tests.support.waiting import process_gone, wait_until

MODULE = "descartes_orchestrator.fork_server"
#: Its pid is the fork server's.
STARTER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.closerange(4, 1000)
os.environ |= {"LISTEN_PID": str(os.getpid()), "SPT_NOENV": "1"}
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class Served:
    """A fork server of ours."""

    def __init__(self, log: Path) -> None:
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(20)
        with theirs, open(log, "ab") as output:
            number = theirs.fileno()
            command = [sys.executable, "-c", STARTER, str(number), "-P", "-m", MODULE]
            self.process = subprocess.Popen(
                command, pass_fds=[number], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.ready = receive_answer(self.channel)

    def ask(self, log: Path, *descriptors: int, say: bytes = b"", **request: Any) -> int:
        """Ask for a daemon, give it the word or not, and return its pid."""
        hears, says = os.pipe()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            fields = {"arguments": ["--version"], "environment": {}, "title": "a daemon", "names": [], **request}
            send_request(self.channel, Request(descriptors=[output, hears, *descriptors], **fields))
            pid = receive_answer(self.channel)["pid"]
            os.write(says, say)
            return int(pid)
        finally:
            for descriptor in (output, hears, says):
                os.close(descriptor)

    def end(self) -> None:
        """Ask for nothing more."""
        self.channel.close()
        self.process.wait(20)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Give a fork server that is ready; what it said besides is wrong."""
    log = tmp_path_factory.mktemp("served") / "forks.log"
    one = Served(log)
    try:
        yield one
    finally:
        one.end()
    assert (one.process.returncode, log.read_text()) == (0, "")


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[Served]:
    """Give one that may end."""
    one = Served(tmp_path / "forks.log")
    try:
        yield one
    finally:
        one.end()


def open_in(pid: int) -> dict[int, str]:
    """Return what a process has open."""
    place, found = f"/proc/{pid}/fd", {}
    for number in os.listdir(place):
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            found[int(number)] = os.readlink(f"{place}/{number}")
    return found


def test_before_a_fork_there_is_one_thread_and_nothing_open(served: Served, tmp_path: Path) -> None:
    """No event loop (epoll), no SQLite, no zmq context (eventfd, threads): a child would share them."""
    served.ask(tmp_path / "log")
    assert os.listdir(f"/proc/{served.process.pid}/task") == [str(served.process.pid)]
    opened = open_in(served.process.pid)
    assert sorted(opened) == [0, 1, 2, 3]
    assert opened[3].startswith("socket:")


def test_it_tells_what_code_it_has_loaded(served: Served) -> None:
    assert served.ready["ready"] is True
    assert served.ready["stamp"].partition("-")[0] == code_stamp().partition("-")[0]


def test_a_daemon_runs_in_surroundings_of_its_own(served: Served, tmp_path: Path) -> None:
    """What is wrong with its arguments is told as any program tells it: in its log, and by its exit status."""
    pid = served.ask(tmp_path / "log", say=b".", arguments=["--no-such-option"])
    process_gone(pid)
    assert "unrecognized arguments: --no-such-option" in (tmp_path / "log").read_text()


def test_a_daemon_that_is_given_no_word_ends_before_anything_ran(served: Served, tmp_path: Path) -> None:
    """Who asked for it was killed, or has given up: nobody knows its pid."""
    process_gone(served.ask(tmp_path / "log"))
    assert (tmp_path / "log").read_text() == ""


def test_descriptors_come_in_their_order_and_nothing_else(served: Served, tmp_path: Path) -> None:
    (tmp_path / "first").write_text("1")
    (tmp_path / "second").write_text("2")
    first, second = (os.open(tmp_path / name, os.O_RDONLY) for name in ("second", "first"))
    hears, says = os.pipe()
    output = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    fields = {"arguments": ["--version"], "environment": {}, "title": "a daemon", "names": ["two", "one"]}
    send_request(served.channel, Request(descriptors=[output, hears, first, second], **fields))
    pid = int(receive_answer(served.channel)["pid"])
    for descriptor in (output, hears, first, second):
        os.close(descriptor)
    try:
        # 5: the word, for which it waits.
        found = wait_for_descriptors(pid, {0, 1, 2, 3, 4, 5})
    finally:
        os.close(says)
    assert [Path(found[number]).name for number in range(5)] == ["null", "log", "log", "second", "first"]
    assert found[5].startswith("pipe:")
    process_gone(pid)


def test_hundreds_of_descriptors_come_in_several_messages(served: Served, tmp_path: Path) -> None:
    here = [os.open("/dev/zero", os.O_RDONLY) for _ in range(600)]
    pid = served.ask(tmp_path / "log", *here, names=[f"name-{number}" for number in range(600)], say=b".")
    for descriptor in here:
        os.close(descriptor)
    process_gone(pid)
    assert (tmp_path / "log").read_text().strip() != ""
    assert sorted(open_in(served.process.pid)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\0\0\4\0\0\0\0null",
        b"\0\0\0\2\0\0\0\1{}",
        (MOST_BYTES + 1).to_bytes(4, "big") + b"\0\0\0\0",
        b"\0\0\0\0\xff\xff\xff\xff",
        b"\0\0",
    ],
)
def test_what_cannot_be_read_is_no_request(garbage: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(garbage)
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(Garbled):
            receive_request(theirs)


def test_it_ends_when_what_it_is_asked_cannot_be_read(ending: Served, tmp_path: Path) -> None:
    ending.channel.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert ending.process.wait(20) == 1
    assert (tmp_path / "forks.log").read_text().startswith("the fork server ends: ")


def test_started_by_hand_it_says_who_starts_it(tmp_path: Path) -> None:
    words = [sys.executable, "-P", "-m", MODULE]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "the fork server is started by the supervisor\n")


def wait_for_descriptors(pid: int, numbers: set[int]) -> dict[int, str]:
    """Wait until a process has these and no others open."""
    return wait_until(lambda: found if set(found := open_in(pid)) == numbers else None, "its descriptors are arranged")
