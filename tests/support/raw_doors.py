"""Both ports of a daemon that serves, and requests written by hand: no client library says what an attacker says."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.person import Person
from tests.support.serving import only_run

Headers = Mapping[str, str]

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class RawDoors:
    """Where they are, and the token."""

    http: int
    ws: int
    token: Headers

    @property
    def secret(self) -> str:
        """The token itself."""
        return self.token["Authorization"].removeprefix("Bearer ")

    def ask(self, request: str, headers: Headers, body: bytes = b"", *, port: int | None = None) -> int:
        """Send a request as it is and return the status that comes back."""
        port = port or self.http
        sent = {"Host": f"127.0.0.1:{port}", "Connection": "close", **headers}
        if body:
            sent["Content-Length"] = str(len(body))
        lines = [f"{request} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        answer = self.say("\r\n".join(lines).encode() + b"\r\n\r\n" + body, port=port)
        return int(answer.split(maxsplit=2)[1])

    def say(self, request: bytes, *, port: int | None = None) -> bytes:
        """Send bytes, and return all that comes back until the connection is closed, or becomes a WebSocket."""
        with self.connected(port or self.http) as connection:
            with contextlib.suppress(ConnectionError):  # the answer may come before all is sent
                connection.sendall(request)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while not answer.startswith(b"HTTP/1.1 101") and (more := connection.recv(65_536)):
                    answer += more
            return answer

    @contextlib.contextmanager
    def connected(self, port: int) -> Iterator[socket.socket]:
        """Connect, and say nothing."""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            yield connection

    def upgrade(self, headers: Headers, path: str = "/events", *, port: int | None = None) -> int:
        """Ask for a WebSocket."""
        return self.ask(f"GET {path}", {**UPGRADE, **headers}, port=port or self.ws)


def started(person: Person) -> RawDoors:
    """Start a session and return its doors."""
    person.run("sessions", "start", person.workspace("shop"))
    run = only_run(person.home)
    http, ws = (int(endpoint.rpartition(":")[2]) for endpoint in (run.http_endpoint, run.ws_endpoint))
    return RawDoors(http, ws, {"Authorization": f"Bearer {person.home.token.read_text().strip()}"})


def assert_unharmed(person: Person) -> None:
    """Nothing was done: the daemon is the first one, and no agent was ever spawned."""
    told = person.run("events", "--json", "--category", "system").stdout
    assert told.count("daemon_started") == 1
    assert "daemon_stopping" not in told
    assert person.run("ps", "-a", "--json").json["agents"] == []


def log_of(person: Person) -> str:
    """Return what the daemon has logged."""
    return "".join(path.read_text() for path in Path(person.home.path).glob("sessions/*/daemon.log"))
