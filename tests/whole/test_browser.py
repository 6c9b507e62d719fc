"""From a browser's position nothing but `/health` answers, and that only to a known Host."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.support.person import Person
from tests.support.serving import only_run

JSON = {"Content-Type": "application/json"}
FOREIGN = {"Origin": "https://evil.example"}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
SPAWN = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "agent.spawn", "params": {"command": ["true"]}}).encode()
END = b'{"force": true}'

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Doors:
    """Both ports of a daemon that serves, and its token."""

    http: int
    ws: int
    token: Headers

    def ask(self, request: str, headers: Headers, body: bytes = b"", *, port: int | None = None) -> int:
        """Send a request as it is and return the status that comes back."""
        port = port or self.http
        sent = {"Host": f"127.0.0.1:{port}", "Connection": "close", **headers}
        if body:
            sent["Content-Length"] = str(len(body))
        lines = [f"{request} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            head = connection.makefile("rb").readline()
            return int(head.split()[1])

    def upgrade(self, headers: Headers, path: str = "/events", *, port: int | None = None) -> int:
        """Ask for a WebSocket."""
        return self.ask(f"GET {path}", {**UPGRADE, **headers}, port=port or self.ws)


@pytest.fixture
def doors(person: Person) -> Doors:
    person.run("sessions", "start", person.workspace("shop"))
    run = only_run(person.home)
    http, ws = (int(endpoint.rpartition(":")[2]) for endpoint in (run.http_endpoint, run.ws_endpoint))
    return Doors(http, ws, {"Authorization": f"Bearer {person.home.token.read_text().strip()}"})


def assert_unharmed(person: Person) -> None:
    """Nothing was done: the daemon is the first one, and no agent was ever spawned."""
    told = person.run("events", "--json").lines
    assert [event["event_type"] for event in told] == ["daemon_started"]
    assert person.run("ps", "-a", "--json").json["agents"] == []


def test_without_the_token_only_health_answers(person: Person, doors: Doors) -> None:
    assert doors.ask("GET /health", {}) == 200
    assert doors.ask("POST /rpc", JSON, SPAWN) == 401
    assert doors.ask("POST /shutdown", JSON, END) == 401
    for request in (
        "GET /",
        "GET /stats",
        "GET /openapi.json",
        "GET /rpc",
        "OPTIONS /rpc",
        "GET /events",
        "PUT /health",
    ):
        assert doors.ask(request, {}) == 401, request
    guessed = {**JSON, "Authorization": "Bearer " + "0" * 43}
    assert doors.ask("POST /shutdown", guessed, END) == 401
    assert_unharmed(person)


def test_what_a_form_can_send_does_nothing(person: Person, doors: Doors) -> None:
    """A page may post these to any server without asking it; even the token does not help."""
    for content in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        kind = {"Content-Type": content} if content else {}
        assert doors.ask("POST /shutdown", kind, END) == 401, content
        assert doors.ask("POST /shutdown", {**kind, **doors.token}, END) == 403, content
        assert doors.ask("POST /rpc", {**kind, **doors.token}, SPAWN) == 403, content
    assert_unharmed(person)


def test_a_page_of_a_foreign_origin_is_refused_everything(person: Person, doors: Doors) -> None:
    for origin in ("https://evil.example", "null", "http://localhost", f"https://127.0.0.1:{doors.http}", "file://"):
        foreign = {"Origin": origin}
        assert doors.ask("GET /health", foreign) == 403, origin
        assert doors.ask("POST /rpc", {**JSON, **doors.token, **foreign}, SPAWN) == 403, origin
        assert doors.ask("POST /shutdown", {**JSON, **doors.token, **foreign}, END) == 403, origin
    preflight = {**FOREIGN, "Access-Control-Request-Method": "POST"}
    assert doors.ask("OPTIONS /rpc", preflight) == 403
    assert_unharmed(person)


def test_a_name_bound_anew_to_this_machine_is_refused_everything(person: Person, doors: Doors) -> None:
    """A page of evil.example whose name suddenly means 127.0.0.1 has the same origin, and a foreign Host."""
    for host in (f"evil.example:{doors.http}", "127.0.0.1", "localhost", f"127.0.0.1:{doors.ws}", "127.0.0.1:80", ""):
        strange = {"Host": host}
        assert doors.ask("GET /health", strange) == 403, host
        assert doors.ask("POST /shutdown", {**JSON, **doors.token, **strange}, END) == 403, host
    for name in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST"):
        assert doors.ask("GET /health", {"Host": f"{name}:{doors.http}"}) == 200, name
    assert_unharmed(person)


def test_no_websocket_opens_for_a_page(person: Person, doors: Doors) -> None:
    """A WebSocket is not held by the same-origin rule: only Origin, Host and token tell who it is."""
    assert doors.upgrade({}) == 403
    assert doors.upgrade(FOREIGN) == 403
    assert doors.upgrade({**FOREIGN, **doors.token}) == 403
    assert doors.upgrade({"Host": f"evil.example:{doors.ws}", **doors.token}) == 403
    assert doors.upgrade(doors.token, port=doors.http) in (403, 404)
    assert doors.ask("GET /health", {}, port=doors.ws) == 404
    assert doors.ask("POST /shutdown", {**JSON, **doors.token}, END, port=doors.ws) == 404
    assert doors.upgrade(doors.token) == 101
    assert_unharmed(person)


def test_nothing_permits_a_page_to_read_an_answer(person: Person, doors: Doors) -> None:
    for headers in ("Origin: https://evil.example\r\n", ""):
        with socket.create_connection(("127.0.0.1", doors.http), timeout=20) as connection:
            head = f"GET /health HTTP/1.1\r\nHost: localhost:{doors.http}\r\nConnection: close\r\n{headers}\r\n"
            connection.sendall(head.encode())
            answer = connection.makefile("rb").read().lower()
        assert b"access-control-" not in answer
        assert (b'"healthy"' in answer) == (headers == "")


def test_only_the_loopback_address_is_listened_to(doors: Doors) -> None:
    for port in (doors.http, doors.ws):
        with socket.socket() as stranger:
            # Another address of this machine: it would be refused to bind where somebody listens on all of them.
            stranger.bind(("127.0.0.2", port))
