"""Who attacks the doors with what is no proper HTTP, or with too much of it, gains and harms nothing."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
from collections.abc import Iterator

import pytest

from descartes_core.messages.common import LARGEST_MESSAGE
from tests.support.person import Person
from tests.support.raw_doors import RawDoors, assert_unharmed, log_of, started

pytestmark = pytest.mark.supervisor("shared")

SPAWN = json.dumps({"command": ["true"]}).encode()


@pytest.fixture
def doors(person: Person, monkeypatch: pytest.MonkeyPatch) -> RawDoors:
    monkeypatch.setenv("DESCARTES_SERVER__READ_TIMEOUT", "1")
    return started(person)


def within(doors: RawDoors, lines: str, body: bytes) -> bytes:
    """Return a request with the token whose head has these lines besides."""
    head = f"POST /rpc/agent.list HTTP/1.1\r\nHost: 127.0.0.1:{doors.http}\r\nAuthorization: Bearer {doors.secret}\r\n"
    return (head + lines + "\r\n\r\n").encode("latin-1") + body


def hidden(doors: RawDoors) -> bytes:
    """Return a whole second request, to be hidden in a body."""
    head = f"POST /rpc/agent.spawn HTTP/1.1\r\nHost: 127.0.0.1:{doors.http}\r\nContent-Type: application/json\r\n"
    return (head + f"Authorization: Bearer {doors.secret}\r\nContent-Length: {len(SPAWN)}\r\n\r\n").encode() + SPAWN


KIND = "Content-Type: application/json\r\n"

SMUGGLING = {
    "two lengths": "Content-Length: 2\r\nContent-Length: {all}",
    "two lengths in one line": "Content-Length: 2, {all}",
    "length and chunks": "Content-Length: 2\r\nTransfer-Encoding: chunked",
    "chunks and length": "Transfer-Encoding: chunked\r\nContent-Length: {all}",
    "chunks, folded": "Content-Length: 2\r\nTransfer-Encoding:\r\n chunked",
    "chunks with a space": "Content-Length: 2\r\nTransfer-Encoding : chunked",
    "chunks in disguise": "Content-Length: 2\r\nTransfer-Encoding: xchunked",
    "chunks after another coding": "Transfer-Encoding: identity, chunked\r\nContent-Length: 2",
    "a vertical tab": "Content-Length: 2\r\nTransfer-Encoding:\x0bchunked",
    "a signed length": "Content-Length: +2",
    "a length of letters": "Content-Length: 0x2",
    "a bare carriage return": "Content-Length: 2\r\nX: y\rTransfer-Encoding: chunked",
    "a NUL": "Content-Length: 2\r\nX: \0",
    "no name": ": x\r\nContent-Length: 2",
}


def test_no_request_is_smuggled_in_by_another(person: Person, doors: RawDoors) -> None:
    body = b"0\r\n\r\n" + hidden(doors)
    for trick, lines in SMUGGLING.items():
        answer = doors.say(within(doors, KIND + lines.format(all=len(body)), body))
        assert answer.startswith(b"HTTP/1.1 4"), (trick, answer[:200])
        assert b"HTTP/1.1 2" not in answer, trick
    assert_unharmed(person)


def test_line_ends_of_one_letter_hide_nothing(person: Person, doors: RawDoors) -> None:
    """Lenient readers take them; what counts is that there is one request, of one length."""
    request = within(doors, KIND + "Content-Length: 2\nConnection: close", b"{}").replace(b"\r\n", b"\n")
    answer = doors.say(request)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert_unharmed(person)


OVERSIZED = [
    "X: " + "y" * 100_000,
    "\r\n".join(f"X-{n}: y" for n in range(2000)),
    "X" * 100_000 + ": y",
    "Authorization: " + "Bearer " * 20_000,
    "Cookie: " + "a=b; " * 20_000,
]


def test_an_oversized_head_is_refused(person: Person, doors: RawDoors) -> None:
    for head in OVERSIZED:
        answer = doors.say(within(doors, head + "\r\nConnection: close", b""))
        assert answer.split()[1] in (b"400", b"413")
    for path in ("/" + "a" * 100_000, "/rpc/" + "a" * 15_000, "/health?" + "a" * 17_000):
        assert doors.ask(f"GET {path}", doors.token) in (400, 404, 405, 413)
    assert doors.ask("GET /health", {}) == 200
    assert_unharmed(person)


def test_ten_mebibytes_are_taken_and_one_byte_more_is_not(person: Person, doors: RawDoors) -> None:
    head = {**doors.token, "Content-Type": "application/json"}
    for extra, status in ((0, 200), (1, 413)):
        body = b"{}" + b" " * (LARGEST_MESSAGE - 2 + extra)
        assert doors.ask("POST /rpc/agent.list", head, body) == status
        chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in pieces(body)) + b"0\r\n\r\n"
        request = within(doors, KIND + "Transfer-Encoding: chunked\r\nConnection: close", chunks)
        assert doors.say(request).split()[1] == str(status).encode()
    assert_unharmed(person)


def pieces(body: bytes) -> Iterator[bytes]:
    """Yield a body in chunks of a mebibyte."""
    for start in range(0, len(body), 1 << 20):
        yield body[start : start + (1 << 20)]


def test_chunks_without_end_are_cut_off(person: Person, doors: RawDoors) -> None:
    with doors.connected(doors.http) as connection:
        connection.sendall(within(doors, KIND + "Transfer-Encoding: chunked", b""))
        with pytest.raises(ConnectionError):
            connection.sendall((b"100000\r\n" + b" " * (1 << 20) + b"\r\n") * 200)
    assert doors.ask("GET /health", {}) == 200


def test_what_comes_slowly_is_cut_off(person: Person, doors: RawDoors) -> None:
    """A letter of the head now and then does not buy it time."""
    for begun in ("", "G", f"GET /health HTTP/1.1\r\nHost: 127.0.0.1:{doors.http}\r\nX: "):
        with doors.connected(doors.http) as connection:
            connection.sendall(begun.encode())
            connection.settimeout(0.1)
            assert any(is_ended(connection, b"x" if begun else b"") for _ in range(200)), begun
    with doors.connected(doors.http) as connection:
        connection.sendall(within(doors, KIND + "Content-Length: 100", b"{"))
        assert connection.recv(100) == b""
    assert "Traceback" not in log_of(person)


def is_ended(connection: socket.socket, more: bytes) -> bool:
    """Say whether the other side has closed; else say a little more."""
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        with contextlib.suppress(ConnectionError):
            connection.sendall(more)
        return False
    except ConnectionError:
        return True


def test_a_thousand_that_say_nothing_keep_nobody_out(person: Person, doors: RawDoors) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with contextlib.ExitStack() as silent:
            for number in range(1100):
                port = doors.ws if number % 3 == 0 else doors.http
                silent.enter_context(contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=20)))
                if number % 50 == 49:
                    assert doors.ask("GET /health", {}) == 200
            assert doors.upgrade(doors.token) == 101
            assert person.run("ps", "--json").json["agents"] == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert_unharmed(person)


def test_strangers_that_come_too_often_are_told_so_and_others_are_served(person: Person, doors: RawDoors) -> None:
    told = [doors.ask("GET /health", {"X": "y"}) for _ in range(10)]
    assert set(told) == {200}
    with doors.connected(doors.http) as connection:
        one = f"GET /stats HTTP/1.1\r\nHost: 127.0.0.1:{doors.http}\r\n\r\n".encode()
        connection.sendall(one * 1000)
        answer = connection.makefile("rb").read()
    assert answer.count(b"HTTP/1.1 401") <= 1000
    assert b"HTTP/1.1 429" in answer
    assert b"connection: close" in answer.lower()
    assert doors.ask("GET /stats", doors.token) == 200
    assert_unharmed(person)
