"""What others of the same user say to a session's notify socket, and what a daemon says beyond all bounds."""

from __future__ import annotations

import array
import contextlib
import json
import os
import resource
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from descartes_core.ids import new_id
from descartes_local.rpc_client import Connection
from tests.orchestrator.supervised import Speaking, Supervised
from tests.support.waiting import wait_until

AGENT = "7f0c2d1e-0000-4000-8000-000000000000"


@pytest.fixture
def line(supervised: Supervised) -> Iterator[Connection]:
    """Give a connection to the supervisor that stays, and is counted like all it has open."""
    with supervised.connect() as line:
        yield line


def open_in(line: Connection) -> int:
    """Count what the supervisor has open, once it has turned to everything that came before."""
    line.call("ping")
    return len(os.listdir(f"/proc/{line.call('ping')['pid']}/fd"))


def notify_of(shop: Speaking) -> Path:
    return shop.supervised.home.notify_socket(shop.id)


def log_of(supervised: Supervised) -> str:
    return (supervised.home.log / "supervisor.log").read_text()


@contextlib.contextmanager
def ear_of(shop: Speaking) -> Iterator[socket.socket]:
    """Give a socket of this process, which is nobody's daemon, at a session's ear."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.connect(str(notify_of(shop)))
        yield stranger


@contextlib.contextmanager
def limited(line: Connection, free: int) -> Iterator[None]:
    """Let the supervisor have only so many descriptors free; only this one connection is open."""
    open_in(line)
    pid = line.call("ping")["pid"]
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    holes = (number for number in range(1000) if number not in used)
    limit = next(number for place, number in enumerate(holes) if place == free)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("words", [["FDSTOREREMOVE=1", "FDNAME=letter"], ["FDSTORE=1", "FDNAME=letter"], ["READY=1"]])
def test_a_daemon_touches_only_its_own(supervised: Supervised, line: Connection, words: list[str]) -> None:
    shop, other = supervised.session(), supervised.session()
    shop.say("keep", "letter", "for the shop alone")
    kept = open_in(line)
    other.say("intrude", notify_of(shop), *words)
    other.say("intrude", notify_of(shop), *words)
    wait_until(lambda: f"pid {other.where['pid']} of user" in log_of(supervised), "it is told")
    assert log_of(supervised).count("is not this session's daemon") == 1
    assert open_in(line) == kept
    shop.kill()
    assert shop.say("recall", "letter") == "for the shop alone"


@pytest.mark.skipif(os.getuid() != 0, reason="only root may say to be somebody else")
def test_the_daemons_pid_is_not_enough_for_another_user(supervised: Supervised, line: Connection) -> None:
    shop = supervised.session()
    shop.say("keep", "letter", "for the shop alone")
    credentials = struct.pack("3i", shop.where["pid"], 12_345, 12_345)
    with ear_of(shop) as stranger:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, credentials)]
        stranger.sendmsg([b"FDSTOREREMOVE=1\nFDNAME=letter"], ancillary)
    wait_until(lambda: "of user 12345 is not this session's daemon" in log_of(supervised), "it is told")
    shop.kill()
    assert shop.say("recall", "letter") == "for the shop alone"


def test_ten_thousand_descriptors_of_a_stranger_leave_nothing(supervised: Supervised, line: Connection) -> None:
    shop = supervised.session()
    before = open_in(line)
    rights = array.array("i", [0] * 250).tobytes()
    with ear_of(shop) as stranger:
        for number in range(40):
            text = f"FDSTORE=1\nFDNAME=many-{number}".encode()
            stranger.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    assert shop.say("keep", "letter", "x") == "kept"
    assert open_in(line) == before + 2
    assert supervised.entry(shop.id)["kept"] == 0


def test_who_talks_without_end_keeps_nobody_from_being_heard(supervised: Supervised) -> None:
    """Six at once, so that the queue of the session's ear is never empty."""
    shop, other = supervised.session(), supervised.session()
    children = [talking_to(shop) for _ in range(6)]
    try:
        assert other.say("keep", "letter", "x") == "kept"
        assert shop.say("keep", "letter", "x") == "kept"
        assert supervised.call("status")["sessions"] == 2
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def talking_to(shop: Speaking) -> int:
    """Let a child say something to a session's ear as fast as it can, and return its pid."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(OSError), ear_of(shop) as stranger:
            while True:
                stranger.send(b"X")
        os._exit(0)
    return child


@pytest.mark.parametrize(
    "text",
    [b"", b"\0", b"FDSTORE=1", b"FDSTORE=1\nFDNAME=\xff\xfe", b"BARRIER=1\nFDNAME", b"=\n=\n", b"FDNAME=x\n" * 2000],
)
def test_half_a_notice_is_none(supervised: Supervised, line: Connection, text: bytes) -> None:
    shop = supervised.session()
    before = open_in(line)
    shop.say("say_raw", text.hex())
    assert open_in(line) == before
    assert "internal error" not in log_of(supervised)
    assert shop.say("keep", "letter", "x").startswith(("kept", "not kept: "))
    assert shop.say("keep", "letter", "x") == "kept"


def test_without_room_nothing_more_is_kept_and_that_is_told(supervised: Supervised, line: Connection) -> None:
    shop = supervised.session()
    with limited(line, 2):
        refused = shop.say("keep", "letter", "x")
        assert refused.startswith("not kept: ")
        assert "of the supervisor's" in refused
        assert "ulimit -Hn" in refused
        (entry,) = line.call("list")["sessions"]
        assert entry["trouble"] in refused
        status = line.call("status")
        assert (status["not_keeping"], status["descriptors_limit"] - status["descriptors"] <= 2) == (["shop"], True)
    assert shop.say("keep", "letter", "x") == "kept"
    assert line.call("status")["not_keeping"] == []
    assert log_of(supervised).count("something is not kept") == 1


@pytest.mark.skipif(0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 10_000, reason="too few descriptors here")
def test_what_one_session_may_give_is_bounded_and_all_of_it_is_handed_on(supervised: Supervised) -> None:
    """Their names must find room in the next daemon's environment."""
    shop = supervised.session()
    refused = shop.say("keep_many", 8300)
    kept = int(refused.removeprefix("not kept: ").split()[0])
    assert refused == f"not kept: {kept} descriptors of this session are kept, which is the most: end some agents"
    assert 4000 < kept <= 8192
    shop.kill()
    assert int(shop.say("count")) == kept + 3


def test_what_the_kernel_closes_for_want_of_descriptors_is_not_called_kept(
    supervised: Supervised, line: Connection
) -> None:
    """Then not even the barrier arrives: its end alone would look like an answer."""
    shop = supervised.session()
    with limited(line, 0):
        assert shop.say("keep", "letter", "x") == ""
    assert shop.say("keep", "other", "x") == "kept"
    assert "the supervisor had no descriptor free, and the kernel closed it" in log_of(supervised)
    shop.kill()
    assert shop.say("names") == "http:ws:rpc:other:other-end"


def test_at_the_limit_a_daemon_comes_back_and_callers_are_answered(supervised: Supervised, line: Connection) -> None:
    """What is kept, and then a crowd, leaves enough for a start, and for what a notice brings along."""
    shop = supervised.session()
    with limited(line, 90):
        assert shop.say("keep_many", 200).startswith("not kept: ")
        shop.kill()
        kept = int(shop.say("count"))
        assert kept > 60
        with ExitStack() as crowd:
            for _ in range(30):
                crowd.enter_context(Connection(supervised.home.supervisor_socket, timeout=20.0))
            assert line.call("status")["kept"] == 0
            shop.kill()
            assert int(shop.say("count")) == kept
            assert shop.say("forget", "many-0-" + "x" * 200) == "forgotten"


def resident(pid: int) -> int:
    """Return how much memory a process has, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def rests(pid: int) -> bool:
    """Whether a process has had nothing to do for a moment."""

    def used() -> list[str]:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]

    found = used()
    threading.Event().wait(0.1)
    return found == used()


@pytest.mark.soak
def test_answers_that_nobody_reads_are_bounded(supervised: Supervised, line: Connection) -> None:
    """Each peer may leave some unread; all together no more than a few megabytes. Others are answered meanwhile."""
    shop = supervised.session()
    pid = line.call("ping")["pid"]
    before = resident(pid)
    asked = b'{"jsonrpc": "2.0", "id": 1, "method": "list"}\n' * 2000
    with ExitStack() as crowd:
        for _ in range(80):
            connection = crowd.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(supervised.home.supervisor_socket))
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(20):
                    connection.send(asked)
        assert supervised.entry(shop.id)["status"] == "Active"
        wait_until(lambda: rests(pid), "it has answered all whom it still answers", deadline=30.0)
        assert resident(pid) < before + 20_000


def test_calls_that_wait_are_bounded(supervised: Supervised) -> None:
    identity = new_id()
    asked = {"id": identity, "name": "shop", "path": "/", "env": {"DESCARTES_TEST_MANNER": "mute"}}
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "start", "params": asked}).encode() + b"\n"
    with supervised.connect() as connection:
        connection.socket.sendall(line * 130)
        told = [json.loads(connection.socket.makefile("rb").readline()) for _ in range(1)]
        assert told[0]["error"]["data"]["code"] == "limit_reached"
        supervised.call("stop", {"id": identity, "grace": 0})


def test_twenty_sessions_with_agents_leave_the_supervisor_as_it_was(supervised: Supervised, line: Connection) -> None:
    first = supervised.session()
    before = open_in(line)
    shops = [supervised.session() for _ in range(20)]
    for shop in shops:
        shop.say("spawn", AGENT, "-c", "import sys; sys.stdin.read()")
    assert open_in(line) >= before + 20 * 6
    for number, shop in enumerate(shops):
        if number % 3 == 0:
            shop.kill()
        shop.stop()
    first.say("pid")
    assert open_in(line) == before
