"""The three doors that take calls, each kept open, and each asked the same way."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from tests.support.person import Person
from tests.support.serving import only_run


@dataclass(frozen=True, slots=True)
class Said:
    """What came back."""

    status: int
    answer: dict[str, Any]

    @property
    def code(self) -> str:
        """The error's stable word, or that it was done."""
        error = self.answer.get("error")
        return str(error["data"]["code"]) if isinstance(error, dict) else "done"


class Door(Protocol):
    """Somewhere to call."""

    def call(self, method: str, params: Any) -> Said:
        """Call a method."""

    def say(self, data: bytes) -> Said:
        """Send what may be no call at all."""


class UnixDoor:
    """The Unix socket: a line, an answer."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._open()

    def _open(self) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(30)
        self._connection.connect(self._path)
        self._lines = self._connection.makefile("rb")

    def call(self, method: str, params: Any) -> Said:
        """Call a method."""
        return self.say(as_call(method, params))

    def say(self, data: bytes) -> Said:
        """Send a line; what cannot be read ends the connection, and the next one is a new one."""
        with contextlib.suppress(ConnectionError):  # what is too large need not be read
            self._connection.sendall(data + b"\n")
        said = Said(0, json.loads(self._lines.readline()))
        if said.code in ("parse_error", "too_large"):
            self.close()
            self._open()
        return said

    def close(self) -> None:
        """Go away."""
        self._lines.close()
        self._connection.close()


class HttpDoor:
    """POST /rpc, or POST /rpc/{method}: a body, an answer."""

    def __init__(self, port: int, token: str, *, is_plain: bool) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._is_plain = is_plain

    def call(self, method: str, params: Any) -> Said:
        """Call a method."""
        if self._is_plain:
            return self._post(f"/rpc/{method}", json.dumps(params).encode())
        return self._post("/rpc", as_call(method, params))

    def say(self, data: bytes) -> Said:
        """Send a body."""
        return self._post("/rpc/agent.list" if self._is_plain else "/rpc", data)

    def _post(self, path: str, body: bytes) -> Said:
        with contextlib.suppress(ConnectionError):  # what is too large need not be read
            self._connection.request("POST", path, body, self._headers)
        answer = self._connection.getresponse()
        said = Said(answer.status, json.loads(answer.read()))
        if answer.will_close:
            self.close()
        return said

    def close(self) -> None:
        """Go away."""
        self._connection.close()


def as_call(method: str, params: Any) -> bytes:
    """Return a JSON-RPC request."""
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


@contextlib.contextmanager
def every_door(person: Person) -> Iterator[dict[str, Door]]:
    """Open all doors of the only session that is served."""
    run = only_run(person.home)
    port, token = int(run.http_endpoint.rpartition(":")[2]), person.home.token.read_text().strip()
    with contextlib.ExitStack() as stack:
        doors = {
            "unix": UnixDoor(run.socket),
            "rpc": HttpDoor(port, token, is_plain=False),
            "plain": HttpDoor(port, token, is_plain=True),
        }
        for door in doors.values():
            stack.callback(door.close)
        yield dict(doors)


def health_of(person: Person) -> Any:
    """Ask /health as a stranger."""
    with contextlib.closing(http.client.HTTPConnection(only_run(person.home).http_endpoint[7:], timeout=10)) as asked:
        asked.request("GET", "/health")
        return json.loads(asked.getresponse().read())
