"""Nonsense at the doors of a daemon gets an error each, and the daemon goes on."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from descartes_core.messages.common import LARGEST_MESSAGE
from tests.support.person import Person
from tests.support.serving import only_run

pytestmark = pytest.mark.supervisor("shared")

#: A method with parameters, and the code that must come back.
WRONG: list[tuple[str, Any, str]] = [
    ("no.such.method", {}, "method_not_found"),
    ("agent.spawn\n", {}, "method_not_found"),
    ("agent.get", {}, "invalid_params"),
    ("agent.get", {"agent_id": 7}, "invalid_params"),
    ("agent.get", {"agent_id": None}, "invalid_params"),
    ("agent.get", {"agent_id": "x", "more": 1}, "invalid_params"),
    ("agent.get", {"agent_id": "nobody"}, "agent_not_found"),
    ("agent.get", ["a", "b"], "invalid_params"),
    ("agent.spawn", {"command": "ls"}, "invalid_params"),
    ("agent.spawn", {"command": [1, 2]}, "invalid_params"),
    ("agent.spawn", {"command": ["a\0b"]}, "invalid_params"),
    ("agent.spawn", {"command": ["ls"], "name": "a\0b"}, "invalid_params"),
    ("agent.spawn", {"command": ["ls"], "name": "x" * 10_240}, "invalid_params"),
    ("agent.spawn", {"command": ["ls"], "cwd": "a\0b"}, "invalid_params"),
    ("agent.spawn", {"command": ["ls"], "env": {"A": "b\0c"}}, "invalid_params"),
    ("agent.spawn", {"command": ["ls"], "env": {"A=B": "c"}}, "invalid_params"),
    ("agent.spawn", {"command": ["ls"], "rows": 10**9}, "invalid_params"),
    ("agent.spawn", {"command": ["ls"], "agent_id": "../../etc"}, "invalid_params"),
    ("agent.spawn", {"command": ["ls"], "stop_signal": "NONSENSE"}, "invalid_params"),
    ("agent.output", {"agent_id": "x", "offset": -1}, "invalid_params"),
    ("agent.output", {"agent_id": "x", "offset": 1.5}, "invalid_params"),
    ("agent.wait", {"agent_id": "x", "timeout": True}, "invalid_params"),
    ("agent.wait", {"agent_id": "x", "timeout": 10**400}, "invalid_params"),
    ("event.list", {"since": 10**30}, "invalid_params"),
    ("event.list", {"limit": 0}, "invalid_params"),
    ("event.list", {"filter": {"event_categories": ["nonsense"]}}, "invalid_params"),
]
#: What is no call at all.
NO_CALLS: list[tuple[bytes, str]] = [
    (b"not json", "parse_error"),
    (b"{", "parse_error"),
    (b"\xff\xfe", "parse_error"),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "agent.list", "params": {"all": NaN}}', "parse_error"),
    (b"[" * 100_000, "parse_error"),
    (b"7", "invalid_request"),
    (b'{"id": 1}', "invalid_request"),
    (b'{"jsonrpc": "1.0", "id": 1, "method": "agent.list"}', "invalid_request"),
    (b'{"jsonrpc": "2.0", "id": {}, "method": "agent.list"}', "invalid_request"),
    (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', "invalid_request"),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "agent.list", "params": 7}', "invalid_request"),
]
TOO_LARGE = b'{"jsonrpc": "2.0", "id": 1, "method": "agent.list", "params": {}}'.ljust(LARGEST_MESSAGE + 1)


class Unix:
    """The Unix socket: one line, one answer."""

    def __init__(self, person: Person) -> None:
        self._path = only_run(person.home).socket

    def ask(self, line: bytes) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(self._path)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # what is too large need not be read
                connection.sendall(line + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
            return answer


class Http:
    """POST /rpc: one body, one answer."""

    def __init__(self, person: Person) -> None:
        self._port = int(only_run(person.home).http_endpoint.rpartition(":")[2])
        self._token = person.home.token.read_text().strip()

    def ask(self, body: bytes) -> dict[str, Any]:
        head = (
            f"POST /rpc HTTP/1.1\r\nHost: localhost:{self._port}\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self._port), timeout=30) as connection:
            connection.sendall(head.encode() + body)
            answer: dict[str, Any] = json.loads(connection.makefile("rb").read().partition(b"\r\n\r\n")[2])
            return answer


@pytest.fixture(params=[Unix, Http], ids=["unix", "http"])
def door(person: Person, request: pytest.FixtureRequest) -> Iterator[Unix | Http]:
    """Give one door of a daemon; in the end it must be the first daemon still, and unharmed."""
    person.run("sessions", "start", person.workspace("shop"))
    first = only_run(person.home)
    yield request.param(person)
    assert only_run(person.home).instance_id == first.instance_id
    told = person.run("events", "--json").lines
    assert [event["event_type"] for event in told] == ["daemon_started"]
    log = (person.home.session(first.session_id) / "daemon.log").read_text()
    assert "Traceback" not in log


def code_of(answer: dict[str, Any]) -> str:
    return str(answer["error"]["data"]["code"])


def test_wrong_calls_are_refused_each_by_its_code(door: Unix | Http) -> None:
    found = []
    for method, params, code in WRONG:
        answer = door.ask(json.dumps({"jsonrpc": "2.0", "id": 5, "method": method, "params": params}).encode())
        assert len(json.dumps(answer)) < 2000
        if code_of(answer) != code:
            found.append((method, params, answer))
    assert found == []


def test_what_is_no_call_is_refused(door: Unix | Http) -> None:
    answers = [(line[:60], code_of(door.ask(line))) for line, _ in NO_CALLS]
    assert answers == [(line[:60], code) for line, code in NO_CALLS]


def test_ten_mebibytes_and_one_byte_are_too_many(door: Unix | Http) -> None:
    assert code_of(door.ask(TOO_LARGE)) == "too_large"
    assert door.ask(TOO_LARGE[:-1] if isinstance(door, Http) else TOO_LARGE[:-2])["result"]["agents"] == []
