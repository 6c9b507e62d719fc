"""Rename a session over HTTP, many clients at once, each answered once it is on disk."""

from __future__ import annotations

import json
import selectors
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from descartes_local.json_file import write_json
from tests.bench.figures import Figure
from tests.bench.ground import Ground, running_session

CALLS = 4000
CLIENTS = 32
#: Every so many calls another floor is taken, so that both meet the same disk.
SYNCS = 200


def measure() -> list[Figure]:
    """Rename as fast as it is answered, beside one file written and synced again and again."""
    with running_session() as ground:
        floor = _floor(ground.person.directory / "floor.json")
        ours = _renames(ground)
        floor = (floor + _floor(ground.person.directory / "floor.json")) / 2
    return [
        Figure(
            f"`session.rename` over HTTP, {CLIENTS} clients, synced",
            f"{ours:,.0f}/s",
            f"write, sync, rename, one by one: {floor:,.0f}/s",
            "≥ 1,000/s",
            f"{ours:,.0f}/s",
        )
    ]


def _floor(path: Path) -> float:
    began = time.perf_counter()
    for number in range(SYNCS):
        write_json(path, {"name": f"name {number}"})
    return SYNCS / (time.perf_counter() - began)


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    received: bytearray = field(default_factory=bytearray)

    def ask(self, request: bytes) -> None:
        self.connection.sendall(request)

    def is_answered(self) -> bool:
        self.received += self.connection.recv(65_536)
        head, separator, body = bytes(self.received).partition(b"\r\n\r\n")
        if not separator:
            return False
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        if len(body) < length:
            return False
        assert b"error" not in json.loads(body), body
        self.received.clear()
        return True


def _renames(ground: Ground) -> float:
    host, _, port = ground.daemon.http_endpoint.removeprefix("http://").partition(":")
    token = ground.person.home.token.read_text().strip()
    requests = (_request(f"{host}:{port}", token, number) for number in range(CALLS))
    with selectors.DefaultSelector() as selector:
        for _ in range(CLIENTS):
            client = _Client(socket.create_connection((host, int(port))))
            selector.register(client.connection, selectors.EVENT_READ, client)
        began = time.perf_counter()
        for key in list(selector.get_map().values()):
            key.data.ask(next(requests))
        done = 0
        while done < CALLS:
            for key, _ in selector.select():
                if key.data.is_answered():
                    done += 1
                    if (request := next(requests, None)) is not None:
                        key.data.ask(request)
        took = time.perf_counter() - began
        for key in list(selector.get_map().values()):
            key.data.connection.close()
    return CALLS / took


def _request(host: str, token: str, number: int) -> bytes:
    call = {"jsonrpc": "2.0", "id": number, "method": "session.rename", "params": {"name": f"shop {number}"}}
    body = json.dumps(call).encode()
    head = (
        f"POST /rpc HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
