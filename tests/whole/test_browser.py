"""From a browser's position nothing but `/health` answers, and that only to a known Host."""

from __future__ import annotations

import json
import socket

import pytest

from descartes_core.ids import new_id
from tests.support.person import Person
from tests.support.raw_doors import RawDoors, assert_unharmed, log_of, started

pytestmark = pytest.mark.supervisor("shared")

JSON = {"Content-Type": "application/json"}
FOREIGN = {"Origin": "https://evil.example"}
SPAWN = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "agent.spawn", "params": {"command": ["true"]}}).encode()
END = b'{"force": true}'


@pytest.fixture
def doors(person: Person) -> RawDoors:
    return started(person)


def test_without_the_token_only_health_answers(person: Person, doors: RawDoors) -> None:
    assert doors.ask("GET /health", {}) == 200
    assert doors.ask("POST /rpc", JSON, SPAWN) == 401
    assert doors.ask("POST /shutdown", JSON, END) == 401
    for request in (
        "GET /",
        "GET /stats",
        "GET /metrics",
        "GET /openapi.json",
        "POST /rpc/agent.list",
        "GET /rpc",
        "OPTIONS /rpc",
        "GET /events",
        "PUT /health",
    ):
        assert doors.ask(request, {}) == 401, request
    guessed = {**JSON, "Authorization": "Bearer " + "0" * 43}
    assert doors.ask("POST /shutdown", guessed, END) == 401
    assert_unharmed(person)


FORMS = {
    "text/plain": b'{"force": true, "=": "x"}',
    "application/x-www-form-urlencoded": b"force=true",
    "multipart/form-data; boundary=x": b'--x\r\nContent-Disposition: form-data; name="force"\r\n\r\ntrue\r\n--x--\r\n',
    "text/plain; application/json": END,
    "application/jsonp": END,
    "": END,
}


def test_what_a_form_can_send_does_nothing(person: Person, doors: RawDoors) -> None:
    """A page may post these to any server without asking it; even the token does not help."""
    for content, body in FORMS.items():
        kind = {"Content-Type": content} if content else {}
        for request in ("POST /shutdown", "POST /rpc/system.shutdown", "POST /rpc"):
            sent = SPAWN if request == "POST /rpc" else body
            assert doors.ask(request, kind, sent) == 401, content
            assert doors.ask(request, {**kind, **doors.token}, sent) == 403, content
    assert_unharmed(person)


def test_no_preflight_is_ever_answered_with_leave(person: Person, doors: RawDoors) -> None:
    """A page asks before it sends JSON or a token; whatever it asks, no header lets it go on."""
    asks = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization, content-type\r\n"
    for origin in ("https://evil.example", f"http://127.0.0.1:{doors.http}", "null"):
        for path in ("/rpc", "/shutdown", "/rpc/agent.spawn", "/health", "*"):
            for token in ("", f"Authorization: Bearer {doors.secret}\r\n"):
                head = f"OPTIONS {path} HTTP/1.1\r\nHost: 127.0.0.1:{doors.http}\r\nConnection: close\r\n"
                answer = doors.say(f"{head}Origin: {origin}\r\n{asks}{token}\r\n".encode()).lower()
                assert answer.split()[1] in (b"400", b"401", b"403", b"404", b"405")
                assert b"access-control-" not in answer
    assert_unharmed(person)


def test_a_page_of_a_foreign_origin_is_refused_everything(person: Person, doors: RawDoors) -> None:
    for origin in ("https://evil.example", "null", "http://localhost", f"https://127.0.0.1:{doors.http}", "file://"):
        foreign = {"Origin": origin}
        assert doors.ask("GET /health", foreign) == 403, origin
        assert doors.ask("POST /rpc", {**JSON, **doors.token, **foreign}, SPAWN) == 403, origin
        assert doors.ask("POST /shutdown", {**JSON, **doors.token, **foreign}, END) == 403, origin
    preflight = {**FOREIGN, "Access-Control-Request-Method": "POST"}
    assert doors.ask("OPTIONS /rpc", preflight) == 403
    assert_unharmed(person)


def test_a_name_bound_anew_to_this_machine_is_refused_everything(person: Person, doors: RawDoors) -> None:
    """A page of evil.example whose name suddenly means 127.0.0.1 has the same origin, and a foreign Host."""
    for host in (f"evil.example:{doors.http}", "127.0.0.1", "localhost", f"127.0.0.1:{doors.ws}", "127.0.0.1:80", ""):
        strange = {"Host": host}
        assert doors.ask("GET /health", strange) == 403, host
        assert doors.ask("POST /shutdown", {**JSON, **doors.token, **strange}, END) == 403, host
    for name in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST"):
        assert doors.ask("GET /health", {"Host": f"{name}:{doors.http}"}) == 200, name
    assert_unharmed(person)


def test_no_websocket_opens_for_a_page(person: Person, doors: RawDoors) -> None:
    """A WebSocket is not held by the same-origin rule: only Origin, Host and token tell who it is."""
    shown = {"Sec-WebSocket-Protocol": f"descartes, descartes.token.{doors.secret}"}
    terminal = f"/agents/{new_id()}/terminal"
    for path in ("/events", terminal):
        assert doors.upgrade({}, path) == 403
        assert doors.upgrade(FOREIGN, path) == 403
        assert doors.upgrade({**FOREIGN, **doors.token}, path) == 403
        assert doors.upgrade({**FOREIGN, **shown}, path) == 403
        assert doors.upgrade({"Host": f"evil.example:{doors.ws}", **doors.token}, path) == 403
        assert doors.upgrade({"Authorization": "Bearer " + "0" * 43}, path) == 403
        assert doors.upgrade({"Sec-WebSocket-Protocol": "descartes, descartes.token.wrong"}, path) == 403
        assert doors.upgrade({}, f"{path}?token={doors.secret}") == 403
    assert doors.upgrade(doors.token, port=doors.http) in (403, 404)
    assert doors.ask("GET /health", {}, port=doors.ws) == 404
    assert doors.ask("POST /shutdown", {**JSON, **doors.token}, END, port=doors.ws) == 404
    assert doors.upgrade(doors.token) == 101
    assert doors.upgrade(shown) == 101
    assert_unharmed(person)


def test_a_page_of_ours_has_to_show_the_token_first(person: Person, doors: RawDoors) -> None:
    """It is let in to say it, and hears nothing before; what it says instead closes it."""
    ours = {"Origin": f"http://127.0.0.1:{doors.http}"}
    assert doors.upgrade(ours) == 101
    head = [f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{doors.ws}", *(f"{n}: {v}" for n, v in ours.items())]
    head += [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    with doors.connected(doors.ws) as connection:
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(1)
        said = b'{"type": "Subscribe", "payload": {"since": 0}}'
        connection.sendall(bytes([0x81, 0x80 | len(said)]) + bytes(4) + said)
        frame = connection.makefile("rb").read(4)
    assert frame[0] == 0x88
    assert int.from_bytes(frame[2:4], "big") == 4401


def test_the_token_in_an_address_is_neither_taken_nor_logged(person: Person, doors: RawDoors) -> None:
    for query in (f"?token={doors.secret}", f"?access_token={doors.secret}", f"?{doors.secret}"):
        assert doors.ask(f"GET /stats{query}", {}) == 401
        assert doors.ask(f"POST /rpc{query}", JSON, SPAWN) == 401
        assert doors.upgrade({}, f"/events{query}") == 403
    assert doors.secret not in log_of(person)
    assert_unharmed(person)


def test_nothing_permits_a_page_to_read_an_answer(person: Person, doors: RawDoors) -> None:
    for headers in ("Origin: https://evil.example\r\n", ""):
        with socket.create_connection(("127.0.0.1", doors.http), timeout=20) as connection:
            head = f"GET /health HTTP/1.1\r\nHost: localhost:{doors.http}\r\nConnection: close\r\n{headers}\r\n"
            connection.sendall(head.encode())
            answer = connection.makefile("rb").read().lower()
        assert b"access-control-" not in answer
        assert (b'"healthy"' in answer) == (headers == "")


def test_only_the_loopback_address_is_listened_to(doors: RawDoors) -> None:
    for port in (doors.http, doors.ws):
        with socket.socket() as stranger:
            # Another address of this machine: it would be refused to bind where somebody listens on all of them.
            stranger.bind(("127.0.0.2", port))
