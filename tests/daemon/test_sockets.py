"""Sockets are handed over, or bound, and leave nothing behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from descartes_core.errors import PortsTaken, Unavailable
from descartes_daemon.keeping import Keeping
from descartes_daemon.notify import Notifier
from descartes_daemon.sockets import Listening, adopt_socket, bind_port, bind_unix, take_inherited
from tests.support.leftovers import open_descriptors


@pytest.fixture
def high() -> Iterator[None]:
    """Make descriptors 3 to 5 be something, for a moment."""
    missing = [number for number in (3, 4, 5) if not os.path.exists(f"/proc/self/fd/{number}")]
    for number in missing:
        os.dup2(0, number)
    yield
    for number in missing:
        os.close(number)


def told(count: object, names: str, pid: object = "") -> dict[str, str]:
    return {"LISTEN_PID": str(pid or os.getpid()), "LISTEN_FDS": str(count), "LISTEN_FDNAMES": names, "OTHER": "x"}


def test_descriptors_come_by_name_and_the_variables_go(high: None) -> None:
    environment = told(3, "http:ws:rpc")
    assert take_inherited(environment) == {"http": 3, "ws": 4, "rpc": 5}
    assert environment == {"OTHER": "x"}


def test_they_are_nobody_elses(high: None) -> None:
    take_inherited(told(1, "http"))
    assert not os.get_inheritable(3)


@pytest.mark.parametrize(("count", "pid"), [("3", 1), ("", ""), ("nonsense", ""), ("-1", "")])
def test_what_is_not_meant_for_us_is_not_taken(count: str, pid: int | str) -> None:
    environment = told(count, "http:ws:rpc", pid)
    assert take_inherited(environment) == {}
    assert environment == {"OTHER": "x"}


def test_what_has_no_name_is_taken_all_the_same(high: None) -> None:
    assert take_inherited(told(3, "http")) == {"http": 3, "unknown-1": 4, "unknown-2": 5}


def sockets(short: Path, *kinds: str) -> list[socket.socket]:
    """Make sockets of these kinds."""
    makers = {
        "tcp": lambda: socket.create_server(("127.0.0.1", 0)),
        "wide": lambda: socket.create_server(("0.0.0.0", 0)),
        "six": lambda: socket.create_server(("::1", 0), family=socket.AF_INET6),
        "unix": lambda: bind_unix(short / "rpc.sock"),
        "deaf": lambda: socket.socket(socket.AF_INET),
        "datagrams": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        "abstract": lambda: listening(f"\0descartes-{os.getpid()}"),
    }
    return [makers[kind]() for kind in kinds]


def listening(address: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(address)
    made.listen()
    return made


@contextlib.contextmanager
def handed_over(given: list[socket.socket], names: str) -> Iterator[dict[str, int]]:
    """Let these sockets be descriptors 3 and on, and say what is taken of them, as places in the list."""
    before = {
        3 + place: os.dup(3 + place) for place in range(len(given)) if os.path.exists(f"/proc/self/fd/{3 + place}")
    }
    high = [fcntl.fcntl(one, fcntl.F_DUPFD, 100) for one in given]
    for place, descriptor in enumerate(high):
        os.dup2(descriptor, 3 + place)
        os.close(descriptor)
    try:
        yield {name: number - 3 for name, number in take_inherited(told(len(given), names)).items()}
    finally:
        for number in range(3, 3 + len(given)):
            with contextlib.suppress(OSError):
                os.close(number)
        for number, descriptor in before.items():
            os.dup2(descriptor, number)
            os.close(descriptor)
        for one in given:
            one.close()


@pytest.mark.parametrize(
    "names", ["", "shop.socket:shop.socket:shop.socket", "unknown:unknown:unknown", "http:http:http"]
)
def test_what_systemd_names_after_its_unit_is_told_by_kind_and_order(short: Path, names: str) -> None:
    with handed_over(sockets(short, "unix", "tcp", "tcp"), names) as taken:
        assert taken == {"rpc": 0, "http": 1, "ws": 2} or names.startswith("http")
        assert names != "http:http:http" or taken == {"http": 0, "ws": 1, "unknown-2": 2}


def test_what_has_a_name_leaves_the_others_to_the_rest(short: Path) -> None:
    with handed_over(sockets(short, "tcp", "tcp"), "a.socket:http") as taken:
        assert taken == {"http": 1, "ws": 0}


def test_what_cannot_be_a_door_is_none(short: Path) -> None:
    with handed_over(sockets(short, "deaf", "datagrams", "six", "tcp"), "") as taken:
        assert taken == {"unknown-0": 0, "unknown-1": 1, "unknown-2": 2, "http": 3}


def test_what_is_stored_twice_is_taken_once(short: Path) -> None:
    """systemd keeps two by one name, where ours puts the second in the first one's place."""
    with handed_over(sockets(short, "deaf", "datagrams"), "lock-data:lock-data") as taken:
        assert taken == {"lock-data": 0}
        assert not os.path.exists("/proc/self/fd/4")


def test_what_is_told_and_not_there_is_refused() -> None:
    with pytest.raises(Unavailable, match="LISTEN_FDS tells of descriptor"):
        take_inherited(told(5000, ""))


@pytest.mark.parametrize(
    ("name", "kind", "why"),
    [
        ("http", "unix", "no IPv4 socket that listens"),
        ("http", "deaf", "no IPv4 socket that listens"),
        ("ws", "six", "no IPv4 socket that listens"),
        ("ws", "wide", "listens at 0.0.0.0, not at 127.0.0.1"),
        ("rpc", "tcp", "no Unix socket that listens"),
        ("rpc", "abstract", "no path"),
    ],
)
def test_a_door_of_the_wrong_kind_is_refused_with_its_name(short: Path, name: str, kind: str, why: str) -> None:
    before = open_descriptors()
    given = {name: sockets(short, kind)[0].detach()}
    with pytest.raises(Unavailable, match=why):
        Listening.take(Keeping(Notifier(None), None, given), 0, 0, short / "other.sock")
    assert open_descriptors() == before


def test_a_stranger_on_a_port_is_told_and_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        with pytest.raises(PortsTaken, match=rf"127.0.0.1:{port} \(http\)"):
            bind_port("http", "127.0.0.1", port)
        socket.create_connection(("127.0.0.1", port)).close()


def test_a_unix_socket_is_private_and_replaces_a_stale_one(short: Path) -> None:
    path = short / "rpc.sock"
    bind_unix(path).close()
    with bind_unix(path) as listening:
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            listening.setblocking(True)
            listening.accept()[0].close()


def test_what_is_no_socket_is_not_removed(short: Path) -> None:
    path = short / "rpc.sock"
    path.write_text("a letter")
    with pytest.raises(Unavailable):
        bind_unix(path)
    assert path.read_text() == "a letter"


def test_all_three_are_adopted_where_they_are_handed_over(short: Path) -> None:
    before = open_descriptors()
    http, ws = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    unix = bind_unix(short / "rpc.sock")
    ports = http.getsockname()[1], ws.getsockname()[1]
    handed_over = {"http": http.detach(), "ws": ws.detach(), "rpc": unix.detach()}
    listening = Listening.take(Keeping(Notifier(None), None, handed_over), 1, 2, short / "elsewhere.sock")
    assert (listening.endpoints.http_port, listening.endpoints.ws_port) == ports
    assert listening.endpoints.socket == str(short / "rpc.sock")
    listening.close()
    assert (short / "rpc.sock").exists(), "who bound it removes it"
    assert open_descriptors() == before


def test_where_one_cannot_be_bound_none_stays(short: Path) -> None:
    before = open_descriptors()
    with socket.create_server(("127.0.0.1", 0)) as stranger, pytest.raises(PortsTaken):
        Listening.take(Keeping(Notifier(None), None, {}), 0, stranger.getsockname()[1], short / "rpc.sock")
    assert open_descriptors() == before
    assert not (short / "rpc.sock").exists()


def test_what_we_bound_we_remove(short: Path) -> None:
    listening = Listening.take(Keeping(Notifier(None), None, {}), 0, 0, short / "rpc.sock")
    assert (short / "rpc.sock").exists()
    listening.close()
    assert not (short / "rpc.sock").exists()


def test_an_adopted_socket_does_not_block() -> None:
    with (
        adopt_socket("http", socket.create_server(("127.0.0.1", 0)).detach()) as adopted,
        pytest.raises(BlockingIOError),
    ):
        adopted.accept()
